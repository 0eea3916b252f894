// Where a picture comes from: a file, a drop, the clipboard or the camera.

import { Refused } from "/static/api.js";
import * as camera from "/static/camera.js";
import { words } from "/static/words.js";

const of = (id) => document.getElementById(id);
const stage = of("stage");

// Calls `take` with pictures, `here` when the camera took them, `say` with what to tell, `watching` when the camera
// goes on or off.
export function fromAnywhere({ take, say, words: told, watching = () => {} }) {
  function live(on) {
    of("idle-actions").hidden = on;
    of("live-actions").hidden = !on;
    watching(on);
    if (on) {
      of("picture").hidden = true;
      of("invite").hidden = true;
    } else {
      camera.stop();
      of("invite").hidden = !of("picture").hidden;
    }
  }

  of("file").addEventListener("change", (event) => {
    take([...event.target.files]);
    // The same file may be chosen again.
    event.target.value = "";
  });

  of("camera").addEventListener("click", async () => {
    try {
      await camera.start();
      live(true);
      say(told.on);
      of("shoot").focus();
    } catch (error) {
      say(error.message, { wrong: true });
    }
  });

  of("shoot").addEventListener("click", async () => {
    const still = await camera.shoot();
    live(false);
    of("camera").focus();
    await take([still], { here: true });
  });

  of("stop").addEventListener("click", () => {
    live(false);
    say(told.off);
    of("camera").focus();
  });

  onDrop(stage, take);
  document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
}

// Takes files that are dropped anywhere on the page; `place` shows that they would be.
export function onDrop(place, take) {
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.remove("over");
    });
  }
  document.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
}

// How photos from files were taken, as somebody said it.
export function how(form) {
  const said = form.elements.capture;
  said.setAttribute("aria-invalid", String(said.value === ""));
  if (said.value) return said.value;
  said.focus();
  throw new Refused(0, words.howTaken);
}
