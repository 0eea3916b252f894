// How pages reach this device's key: the service worker has it, and signs with it whatever they ask the gate.

export class NoDevice extends Error {}

const ADDRESS = "/worker.js";
// The one address that a worker may have; browsers ask for a policy that says so.
const policy = window.trustedTypes?.createPolicy("moiety", { createScriptURL: () => ADDRESS });

async function worker() {
  if (!navigator.serviceWorker) {
    throw new NoDevice("This browser cannot keep a key here. It needs https, or localhost on this machine.");
  }
  const found = await navigator.serviceWorker.register(policy ? policy.createScriptURL("") : ADDRESS, {
    scope: "/",
    updateViaCache: "none",
  });
  const made = found.active ?? found.waiting ?? found.installing;
  if (made.state !== "activated") {
    await new Promise((done) => {
      made.addEventListener("statechange", () => made.state === "activated" && done());
    });
  }
  return made;
}

// Asks the worker: begin, opened, left or state.
export async function device(ask, more = {}) {
  const to = await worker();
  const told = await new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => done(event.data);
    to.postMessage({ ...more, ask }, [port2]);
  });
  if (told.failed) throw new NoDevice("This browser cannot make or keep a key for this device.");
  return told;
}
