// Signing in: a new key for this device, signed for with a passkey in the witness's window.

import { Refused, ask } from "/static/api.js";
import { NoDevice, device } from "/static/device.js";
import { atWitness } from "/static/witness.js";

// Signs in; ends on the first page.
export async function signIn(signAt) {
  const begun = async () => {
    const { key } = await device("begin");
    const { record } = await ask("POST", "/v1/session/begin", JSON.stringify({ key }));
    return { moiety: "sign-in/1", record };
  };
  const { record, signer, value } = await atWitness(signAt, begun, "sign-in-signed/1");
  const opened = await ask("POST", "/v1/session", JSON.stringify({ record, signer, value }));
  await device("opened", { session: opened.session, time: opened.time });
  location.assign("/");
}

// Runs what a button begins, and says what went wrong.
export async function tell(place, button, work) {
  place.textContent = "";
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused || error instanceof NoDevice)) throw error;
    place.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}
