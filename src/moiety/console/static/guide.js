// The camera with guidance: a small picture now and then is looked at by the server's own check of quality, and its
// words are spoken. Nothing of these pictures is kept; the one that is taken goes the way of every photo.

import { Refused, ask } from "/static/api.js";
import { form as formOf } from "/static/doing.js";
import { add } from "/static/results.js";
import { why } from "/static/reveal.js";
import { clearFrames, show } from "/static/stage.js";
import { fromAnywhere, how } from "/static/taking.js";
import { words } from "/static/words.js";

const EVERY_MS = 900;
const WIDTH = 640;
const form = document.querySelector("#photos");
const guide = document.querySelector("#guide");
const outcome = form.querySelector("[data-outcome]");
const live = document.querySelector("#live");
const { gallery, to } = form.dataset;

let on = false;

function say(words_, { wrong = false } = {}) {
  guide.textContent = wrong ? "" : words_;
  outcome.textContent = wrong ? words_ : "";
}

function small() {
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, WIDTH / live.videoWidth);
  canvas.width = Math.round(live.videoWidth * scale);
  canvas.height = Math.round(live.videoHeight * scale);
  canvas.getContext("2d").drawImage(live, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
}

// Spoken only when it changes, so that nobody is talked over.
function advise(seen) {
  const [hint] = seen.hints;
  const advice = hint ? form.querySelector(`[data-hint="${hint}"]`).textContent : seen.why || words.good;
  if (guide.textContent !== advice) guide.textContent = advice;
  guide.dataset.good = String(seen.enrollable);
}

async function look() {
  if (!on) return;
  if (live.videoWidth) {
    try {
      advise(await ask("POST", `/v1/galleries/${gallery}/look`, formOf({ image: await small() })));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      outcome.textContent = error.message;
    }
  }
  setTimeout(look, EVERY_MS);
}

// Photos that were sent wait for the picture of the person that is taken here.
let sent = [];

async function take(files, { here = false } = {}) {
  try {
    const reason = why(form.elements.reason);
    const [first] = files;
    if (!first) return;
    const taken = here ? "attended" : how(form);
    await show(first);
    clearFrames();
    if (taken === "sent" && !("alone" in form.dataset)) {
      sent.push(...files);
      say(words.nowHere);
    } else if (here && sent.length) {
      for (const image of sent) add(image, to, { image, reason, capture: "sent", live: first });
      sent = [];
    } else {
      for (const image of files) add(image, to, { image, reason, capture: taken });
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message, { wrong: true });
  }
}

fromAnywhere({
  take,
  say,
  words: { on: words.cameraOn, off: words.cameraOff },
  watching(now) {
    if (now && !on) setTimeout(look, EVERY_MS);
    on = now;
    guide.dataset.good = "false";
    if (!now) guide.textContent = "";
  },
});
form.addEventListener("submit", (event) => event.preventDefault());
