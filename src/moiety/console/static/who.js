// The page "Who is this?": a picture in, faces and candidates out.

import { Refused, identify, parts } from "/static/api.js";
import { cards, sentence, summary } from "/static/answer.js";
import * as camera from "/static/camera.js";
import { answerOf, beginSigning } from "/static/signing.js";
import { clearFrames, frame, show } from "/static/stage.js";

const PARTS_EVERY_MS = 15000;
const of = (id) => document.getElementById(id);

const form = of("ask");
const gallery = of("gallery");
const reason = of("reason");
const said = of("said");
const faces = of("faces");
const stage = of("stage");
const again = of("again");

let image = null;
let asked = 0;

// Shows words, and speaks them (or a longer sentence) to screen readers.
function say(words, { wrong = false, spoken = words } = {}) {
  said.textContent = words;
  said.classList.toggle("wrong", wrong);
  of("spoken").textContent = spoken;
}

function busy(on) {
  of("running").hidden = !on;
  again.disabled = on || image === null;
  form.setAttribute("aria-busy", String(on));
}

async function ask() {
  if (image === null || !gallery.value) return;
  const why = reason.value.trim();
  reason.setAttribute("aria-invalid", String(why === ""));
  if (why === "") {
    say("Say why you ask: the reason must not be empty.", { wrong: true });
    reason.focus();
    return;
  }
  // Only the newest question's answer is shown.
  const mine = ++asked;
  faces.replaceChildren();
  clearFrames();
  of("sign-now").hidden = true;
  say("Looking…");
  busy(true);
  try {
    const { faces: direct, waits } = await identify(gallery.value, image, why);
    if (mine !== asked) return;
    const found = waits ? await signed(waits, () => mine === asked) : direct;
    if (mine !== asked) return;
    frame(found);
    faces.replaceChildren(...cards(found, JSON.parse(gallery.selectedOptions[0].dataset.rates)));
    say(summary(found), { spoken: sentence(found) });
    faces.firstElementChild?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (mine !== asked) return;
    if (!(error instanceof Refused)) throw error;
    say(error.message, { wrong: true });
  } finally {
    if (mine === asked) busy(false);
  }
}

// Shows that a question must be signed, and waits for its answer.
async function signed(question, still) {
  const people = question.wanted === 1 ? "a person's signature" : "the signatures of two people";
  say(`This gallery asks for ${people}. The answer comes here once it is signed.`);
  const now = of("sign-now");
  now.onclick = () => beginSigning(question.id);
  now.hidden = question.sign_at === "";
  try {
    return (await answerOf(question.id, still))?.faces;
  } finally {
    if (still()) now.hidden = true;
  }
}

async function take(file) {
  if (!file) return;
  image = file;
  const visible = await show(file);
  await ask();
  if (!visible && !said.classList.contains("wrong")) {
    say(`${said.textContent} This browser cannot display the file itself.`);
  }
}

function watching(on) {
  of("idle-actions").hidden = on;
  of("live-actions").hidden = !on;
  if (on) {
    clearFrames();
    faces.replaceChildren();
    of("picture").hidden = true;
    of("invite").hidden = true;
  } else {
    camera.stop();
    of("invite").hidden = !of("picture").hidden;
  }
}

of("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  // The same file may be chosen again.
  event.target.value = "";
});

of("camera").addEventListener("click", async () => {
  try {
    await camera.start();
    watching(true);
    say("The camera is on. Nothing is sent until you take the picture.");
    of("shoot").focus();
  } catch (error) {
    say(error.message, { wrong: true });
  }
});

of("shoot").addEventListener("click", async () => {
  const still = await camera.shoot();
  watching(false);
  of("camera").focus();
  await take(still);
});

of("stop").addEventListener("click", () => {
  watching(false);
  say("The camera is off.");
  of("camera").focus();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

gallery.addEventListener("change", () => {
  of("purpose").textContent = gallery.selectedOptions[0].dataset.purpose;
});

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    stage.classList.remove("over");
  });
}
document.addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));

async function watchParts() {
  let state = null;
  try {
    state = await parts();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  for (const item of of("parts").children) {
    const up = state?.[item.dataset.part] ?? null;
    item.dataset.state = up === null ? "unknown" : up ? "up" : "down";
    item.querySelector(".word").textContent = up === null ? "not known" : up ? "answers" : "does not answer";
  }
}

watchParts();
setInterval(() => {
  if (!document.hidden) watchParts();
}, PARTS_EVERY_MS);
