// A window of the witness: it is handed what is to be signed, and gives back what a passkey made of it.

import { Refused } from "/static/api.js";
import { words } from "/static/words.js";

const WINDOW = "popup,width=560,height=860";
const LOOK_EVERY_MS = 400;

// Opens `address` at once, as a click allows; `question` gives what to hand over, `wanted` names the answer.
export function atWitness(address, question, wanted) {
  const page = window.open(address, "_blank", WINDOW);
  if (page === null) throw new Refused(0, words.windowBlocked);
  const { origin } = new URL(address);
  const asked = question();
  return new Promise((done, fail) => {
    let looking = null;
    const end = (say, what) => {
      window.removeEventListener("message", listen);
      clearInterval(looking);
      say(what);
    };
    const listen = (event) => {
      if (event.origin !== origin || event.source !== page) return;
      if (event.data?.moiety === "ready/1") asked.then((one) => page.postMessage(one, origin)).catch((error) => end(fail, error));
      if (event.data?.moiety !== wanted) return;
      page.close();
      end(done, event.data);
    };
    window.addEventListener("message", listen);
    looking = setInterval(() => {
      if (page.closed) end(fail, new Refused(0, words.windowClosed));
    }, LOOK_EVERY_MS);
    asked.catch((error) => {
      page.close();
      end(fail, error);
    });
  });
}
