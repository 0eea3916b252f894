// The frame of every page: signing out, and forms that are sent to the API.

import { Refused, leave } from "/static/api.js";
import { NoDevice, device } from "/static/device.js";
import { sayWhatWasDone } from "/static/done.js";
import { arm } from "/static/forms.js";

const button = document.getElementById("leave");

async function signOut() {
  try {
    await leave();
    if ("device" in button.dataset) await device("left");
  } catch (error) {
    if (!(error instanceof Refused || error instanceof NoDevice)) throw error;
    if (error.status !== 401) {
      window.alert(error.message);
      return;
    }
  }
  location.assign("/");
}

button?.addEventListener("click", signOut);
for (const form of document.querySelectorAll("form[data-send]")) arm(form);
sayWhatWasDone();

// The sheet of all pages closes by Escape and by a press beside it.
const more = document.querySelector(".more");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !more?.open) return;
  more.open = false;
  more.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  if (more?.open && !more.contains(event.target)) more.open = false;
});
