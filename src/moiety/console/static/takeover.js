// A session's cookie came without its device's proof: the worker takes over and the page is asked for again, or,
// where this browser has no key, somebody has to sign in.

import { NoDevice, device } from "/static/device.js";

const TRIED = "moiety-takeover";
const AGAIN_MS = 10000;

async function takeOver() {
  const last = Number(sessionStorage.getItem(TRIED));
  const { session } = await device("state");
  if (!session || Date.now() - last < AGAIN_MS) {
    location.replace("/sign-in");
    return;
  }
  sessionStorage.setItem(TRIED, String(Date.now()));
  location.reload();
}

takeOver().catch((error) => {
  if (!(error instanceof NoDevice)) throw error;
  document.getElementById("said").textContent = error.message;
});
