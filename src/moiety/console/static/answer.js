// Faces and candidates in words. Text goes in as text nodes only.

import { Refused } from "/static/api.js";
import { make } from "/static/making.js";
import { reveal } from "/static/reveal.js";
import { crop, point } from "/static/stage.js";
import { said, words } from "/static/words.js";

const LEVELS = ["possible", "probable", "strong"];
const CROP_PIXELS = 144;
const whole = new Intl.NumberFormat(document.documentElement.lang);
const BANDS = { possible: words.bandPossible, probable: words.bandProbable, strong: words.bandStrong };

// A band in words; one of a gallery of another make is said as it is named.
export function named(band) {
  return BANDS[band] ?? band;
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
  return make("p", "meaning", one ? said(words.rare, { count: whole.format(one) }) : "");
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
  const band = make("p", "band", meter(found.band), named(found.band));
  const id = make(where.reads ? "a" : "span", "id", found.subject_id);
  if (where.reads) id.href = `/people/${where.gallery}/${found.subject_id}`;
  const open = where.reveals ? opener(found, where, name) : [];
  return make("li", "candidate", name, band, meaning(found.band, rates), make("p", "", id), ...open);
}

function nobody(face) {
  const [title, hint] = face.too_many ? [words.tooMany, words.tooManyHint] : [words.noOne, words.noOneHint];
  return make("div", "candidate none", make("p", "name", title), make("p", "meaning", hint));
}

function remarks(face) {
  const reasons = face.quality.reasons;
  const told = reasons.length ? said(words.pictureRemarks, { remarks: reasons.join("; ") }) : words.pictureGood;
  return make("p", reasons.length ? "remarks weak" : "remarks", told);
}

function card(face, index, rates, where) {
  const number = make("span", "number", String(index + 1));
  const cut = crop(face.box, CROP_PIXELS);
  cut.setAttribute("role", "img");
  cut.setAttribute("aria-label", said(words.face, { number: index + 1 }));
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
  if (face.too_many) return words.tooMany;
  if (!face.candidates.length) return words.noOne;
  return face.candidates
    .map((found) => `${found.masked ?? found.subject_id}, ${named(found.band)}`)
    .reduce((one, other) => said(words.or, { one, other }));
}

// The whole answer as one sentence, for screen readers: the cards say the same to the eye.
export function sentence(faces) {
  if (!faces.length) return summary(faces);
  const each = faces.map((face, index) => said(words.spoken, { number: index + 1, answer: one(face) }));
  return [...(faces.length > 1 ? [said(words.faces, { all: faces.length })] : []), ...each].join(" ");
}

export function summary(faces) {
  if (!faces.length) return words.noFace;
  const found = faces.filter((face) => face.candidates.length).length;
  if (faces.length === 1) return found ? words.oneFaceFound : words.oneFaceNone;
  return said(found ? words.facesFound : words.facesNone, { all: faces.length, found });
}
