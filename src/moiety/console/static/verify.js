// The page "Is it really them?": a claim and a picture in, one word out.

import { Refused, ask } from "/static/api.js";
import { doing, form as formOf, json } from "/static/doing.js";
import { showProof } from "/static/proof.js";
import { why } from "/static/reveal.js";
import { frame, show } from "/static/stage.js";
import { fromAnywhere } from "/static/taking.js";
import { words } from "/static/words.js";
import { named } from "/static/answer.js";

const form = document.querySelector("#verify");
const outcome = form?.querySelector("[data-outcome]");
const verdict = document.querySelector("#verdict");
const hint = document.querySelector("#verdict-hint");
const proof = document.querySelector("#proof");

let image = null;
let asked = 0;

function say(told, { wrong = false } = {}) {
  outcome.textContent = wrong ? told : "";
  verdict.textContent = wrong ? "" : told;
}

// Whom the card or the reference names: the way in by card says it, and counts wrong PINs.
async function claimed(reason) {
  const known = document.querySelector("#claimed");
  if (known) return known.dataset.subject;
  const reference = form.elements.reference.value;
  if (!reference.trim()) throw new Refused(0, words.claimFirst);
  const pin = form.elements.pin.value;
  const body = json({ reference, reason, ...(pin ? { pin } : {}) });
  const told = await ask("POST", `/v1/galleries/${form.elements.gallery.value}/present`, body);
  if (!told.same) throw new Refused(0, words.noClaim);
  return told.subject_id;
}

function answer(made) {
  const { same, band, face } = made.answer;
  frame([{ box: face.box, candidates: same ? [band] : [] }]);
  verdict.textContent = same ? words.same : words.other;
  verdict.dataset.same = String(same);
  hint.textContent = [band ? named(band) : "", ...face.quality.reasons].filter(Boolean).join("; ");
  showProof(proof, made.entries);
}

async function question() {
  const mine = ++asked;
  const still = () => mine === asked;
  showProof(proof, []);
  hint.textContent = "";
  try {
    const reason = why(form.elements.reason);
    if (image === null) throw new Refused(0, words.photoFirst);
    say(words.looking);
    const path = `/v1/galleries/${form.elements.gallery.value}/subjects/${await claimed(reason)}/verify`;
    const made = await doing("POST", path, formOf({ image, reason }), outcome, still);
    if (made && still()) answer(made);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (still()) say(error.message, { wrong: true });
  }
}

if (form) {
  fromAnywhere({
    async take([file]) {
      if (!file) return;
      image = file;
      await show(file);
    },
    say,
    words: { on: words.cameraOn, off: words.cameraOff },
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    question();
  });
}
