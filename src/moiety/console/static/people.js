// The list of people: masked references once somebody says why, and the look-up of one reference.

import { Refused, ask } from "/static/api.js";
import { json } from "/static/doing.js";
import { why } from "/static/reveal.js";
import { words } from "/static/words.js";

const KEPT = "moiety.reason";
const list = document.querySelector("#people");
const form = document.querySelector("#masks");
const find = document.querySelector("#find");

async function fill(reason) {
  const { gallery, after, page } = list.dataset;
  const asked = new URLSearchParams({ reason, limit: page, ...(after ? { after } : {}) });
  const { people } = await ask("GET", `/v1/galleries/${gallery}/people?${asked}`);
  for (const one of people) {
    const place = list.querySelector(`[data-of="${one.subject_id}"]`);
    if (place) place.textContent = one.reference;
  }
}

async function trying(outcome, work) {
  outcome.textContent = "";
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    outcome.textContent = error.message;
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  trying(form.querySelector("[data-outcome]"), async () => {
    const reason = why(form.elements.reason);
    await fill(reason);
    // It goes with the reader from page to page of this list, and ends with the window.
    sessionStorage.setItem(KEPT, reason);
  });
});

find?.addEventListener("submit", (event) => {
  event.preventDefault();
  const outcome = find.querySelector("[data-outcome]");
  trying(outcome, async () => {
    const reason = why(find.elements.reason);
    const reference = find.elements.reference.value;
    const body = json({ reference, reason });
    const { gallery } = find.dataset;
    if (gallery) {
      const { subject_id: subject } = await ask("POST", `/v1/galleries/${gallery}/find`, body);
      if (subject) location.assign(`/people/${gallery}/${subject}`);
      else outcome.textContent = words.nobody;
      return;
    }
    const { records } = await ask("POST", "/v1/people/find", body);
    showRecords(records);
    outcome.textContent = records.length ? "" : words.nobody;
  });
});

function showRecords(records) {
  const names = JSON.parse(find.dataset.names);
  const rows = records.map((one) => {
    const link = document.createElement("a");
    link.href = `/people/${one.gallery_id}/${one.subject_id}`;
    link.textContent = names[one.gallery_id] ?? one.gallery_id;
    const row = document.createElement("li");
    row.append(link);
    return row;
  });
  document.querySelector("#records").replaceChildren(...rows);
}

const kept = sessionStorage.getItem(KEPT);
if (list && form && kept) {
  form.elements.reason.value = kept;
  trying(form.querySelector("[data-outcome]"), () => fill(kept));
}
