// Sealed fields are shown one by one, each for a reason, each written into the ledger before it is opened.

import { Refused } from "/static/api.js";
import { doing, json } from "/static/doing.js";
import { draw } from "/static/drawing.js";
import { make } from "/static/making.js";
import { showProof } from "/static/proof.js";
import { words } from "/static/words.js";

function picture(encoded) {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const image = make("img", "kept");
  image.src = URL.createObjectURL(new Blob([bytes]));
  image.alt = words.keptPhoto;
  return image;
}

function release(text) {
  const told = JSON.parse(text);
  if (told.kind !== "drawn") return make("span", "", `${told.signed_by}: ${words.byPasskey}`);
  const shown = told.png ? picture(told.png) : draw(told.strokes);
  shown.setAttribute("aria-label", words.signature);
  return make("span", "release", make("span", "", told.signed_by), shown);
}

function shown(name, value) {
  if (name.startsWith("image_")) return picture(value);
  return name.startsWith("release_") ? release(value) : make("span", "revealed", value);
}

export function why(input) {
  const reason = input.value.trim();
  input.setAttribute("aria-invalid", String(reason === ""));
  if (reason) return reason;
  input.focus();
  throw new Refused(0, words.reasonNeeded);
}

// Opens one field of a person; what is shown goes to `place`, what must be said to `outcome`.
export async function reveal({ gallery, subject, field, reason, place, outcome, proof }) {
  const path = `/v1/galleries/${gallery}/subjects/${subject}/reveal`;
  const made = await doing("POST", path, json({ fields: [field], reason }), outcome);
  if (!made) return "";
  const value = made.answer.fields[field];
  place.replaceChildren(shown(field, value));
  if (proof) showProof(proof, made.entries);
  return value;
}

async function press(button) {
  const section = button.closest("[data-subject]");
  const outcome = section.querySelector("[data-outcome]");
  const { gallery, subject } = section.dataset;
  const field = button.dataset.reveal;
  button.disabled = true;
  try {
    outcome.textContent = "";
    const reason = why(section.querySelector("[name=reason]"));
    const place = document.querySelector(button.dataset.into ?? `#value-${field}`);
    await reveal({ gallery, subject, field, reason, place, outcome, proof: section.querySelector(".proof") });
    button.remove();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    outcome.textContent = error.message;
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll("button[data-reveal]")) {
  button.addEventListener("click", () => press(button));
}
