// How pages reach this device's key: the service worker has it, and signs with it whatever they ask the gate.

import { words } from "/static/words.js";

export class NoDevice extends Error {}

const ADDRESS = "/worker.js";
// The one address that a worker may have; browsers ask for a policy that says so.
const policy = window.trustedTypes?.createPolicy("moiety", { createScriptURL: () => ADDRESS });

async function worker() {
  if (!navigator.serviceWorker) {
    throw new NoDevice(words.noKeyHere);
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
  if (told.failed) throw new NoDevice(words.noKey);
  return told;
}
