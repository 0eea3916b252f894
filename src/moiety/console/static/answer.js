// Faces and candidates in words. Text goes in as text nodes only.

import { Refused } from "/static/api.js";
import { words } from "/static/doing.js";
import { make } from "/static/making.js";
import { reveal } from "/static/reveal.js";
import { crop, point } from "/static/stage.js";

const LEVELS = ["possible", "probable", "strong"];
const CROP_PIXELS = 144;
const whole = new Intl.NumberFormat("en");

function meter(band) {
  const level = LEVELS.indexOf(band) + 1;
  const bars = LEVELS.map((_, index) => make("i", index < level ? "on" : ""));
  const shape = make("span", "meter", ...bars);
  shape.setAttribute("aria-hidden", "true");
  return shape;
}

function meaning(band, rates) {
  const one = rates[band];
  const rare = one ? `Set so that about 1 in ${whole.format(one)} comparisons of two different people reach this band.` : "";
  return make("p", "meaning", rare);
}

// Opens a candidate's reference, for the reason for which it was asked who they are.
function opener(found, where, name) {
  const button = make("button", "button small", words.show);
  button.type = "button";
  const outcome = make("p", "outcome");
  outcome.setAttribute("role", "alert");
  const proof = make("div", "proof");
  proof.hidden = true;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await reveal({ ...where, subject: found.subject_id, field: "reference", place: name, outcome, proof });
      button.remove();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      outcome.textContent = error.message;
      button.disabled = false;
    }
  });
  return [button, outcome, proof];
}

function candidate(found, rates, where) {
  const name = make("p", "name", found.masked ?? words.known);
  const band = make("p", "band", meter(found.band), `${found.band} match`);
  const id = make(where.reads ? "a" : "span", "id", found.subject_id);
  if (where.reads) id.href = `/people/${where.gallery}/${found.subject_id}`;
  const open = where.reveals ? opener(found, where, name) : [];
  return make("li", "candidate", name, band, meaning(found.band, rates), make("p", "", id), ...open);
}

function nobody(face) {
  const [title, words] = face.too_many
    ? ["Too many", "More people reach the threshold than can be shown. Try a better picture of this face."]
    : ["Nobody in this gallery", "No one reaches the threshold."];
  return make("div", "candidate none", make("p", "name", title), make("p", "meaning", words));
}

function remarks(face) {
  const reasons = face.quality.reasons;
  const words = reasons.length ? `Picture: ${reasons.join("; ")}.` : "Picture: good.";
  return make("p", reasons.length ? "remarks weak" : "remarks", words);
}

function card(face, index, rates, where) {
  const number = make("span", "number", String(index + 1));
  const cut = crop(face.box, CROP_PIXELS);
  cut.setAttribute("role", "img");
  cut.setAttribute("aria-label", `Face ${index + 1}`);
  const found = face.candidates.length
    ? make("ul", "candidates", ...face.candidates.map((one) => candidate(one, rates, where)))
    : nobody(face);
  const item = make("li", "face", make("div", "cut", cut, number), make("div", "words", found, remarks(face)));
  item.addEventListener("pointerenter", () => point(index, true));
  item.addEventListener("pointerleave", () => point(index, false));
  return item;
}

export function cards(faces, rates, where) {
  return faces.map((face, index) => card(face, index, rates, where));
}

function one(face) {
  if (face.too_many) return "too many candidates";
  if (!face.candidates.length) return "nobody in this gallery";
  return face.candidates.map((found) => `${found.masked ?? found.subject_id}, ${found.band}`).join("; or ");
}

// The whole answer as one sentence, for screen readers: the cards say the same to the eye.
export function sentence(faces) {
  if (!faces.length) return summary(faces);
  if (faces.length === 1) return `One face: ${one(faces[0])}.`;
  return `${faces.length} faces. ${faces.map((face, index) => `Face ${index + 1}: ${one(face)}.`).join(" ")}`;
}

export function summary(faces) {
  if (!faces.length) return "No face was found in this picture.";
  const found = faces.filter((face) => face.candidates.length).length;
  if (faces.length === 1) return found ? "One face, with a candidate." : "One face, without a candidate.";
  return `${faces.length} faces, ${found || "none"} of them with a candidate.`;
}
