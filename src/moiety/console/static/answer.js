// Faces and candidates in words. Text goes in as text nodes only.

import { crop, point } from "/static/stage.js";

const LEVELS = ["possible", "probable", "strong"];
const CROP_PIXELS = 144;
const whole = new Intl.NumberFormat("en");

function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

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

function candidate(found, rates) {
  const name = found.subject ?? "No name kept";
  const band = make("p", "band", meter(found.band), `${found.band} match`);
  return make("li", "candidate", make("p", "name", name), band, meaning(found.band, rates), make("p", "id", found.subject_id));
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

function card(face, index, rates) {
  const number = make("span", "number", String(index + 1));
  const cut = crop(face.box, CROP_PIXELS);
  cut.setAttribute("role", "img");
  cut.setAttribute("aria-label", `Face ${index + 1}`);
  const found = face.candidates.length
    ? make("ul", "candidates", ...face.candidates.map((one) => candidate(one, rates)))
    : nobody(face);
  const item = make("li", "face", make("div", "cut", cut, number), make("div", "words", found, remarks(face)));
  item.addEventListener("pointerenter", () => point(index, true));
  item.addEventListener("pointerleave", () => point(index, false));
  return item;
}

export function cards(faces, rates) {
  return faces.map((face, index) => card(face, index, rates));
}

function one(face) {
  if (face.too_many) return "too many candidates";
  if (!face.candidates.length) return "nobody in this gallery";
  return face.candidates.map((found) => `${found.subject ?? found.subject_id}, ${found.band}`).join("; or ");
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
