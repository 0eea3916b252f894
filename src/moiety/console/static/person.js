// One person's page: exports are saved as files, and photos of somebody else are picked for their record.

import { save, bytes } from "/static/saving.js";
import { make } from "/static/making.js";
import { showProof } from "/static/proof.js";
import { words } from "/static/words.js";

document.addEventListener("acted", (event) => {
  const form = event.target;
  if (!form.dataset.save) return;
  event.preventDefault();
  const { answer, entries } = event.detail;
  save(`${form.dataset.save}.json`, "application/json", JSON.stringify(answer.document, null, 1));
  if (answer.pdf) save(`${form.dataset.save}.pdf`, "application/pdf", bytes(answer.pdf));
  form.querySelector("[data-outcome]").textContent = words.saved;
  showProof(form.querySelector(".proof"), entries);
});

const split = document.querySelector("#split");
split?.addEventListener("change", () => {
  const picked = [...split.querySelectorAll("[data-photo]:checked")].map((one) => one.dataset.photo);
  split.given = { photos: picked };
  split.querySelector("button").disabled = picked.length === 0;
});

function purpose(one, photos) {
  const link = make("a", "", one.gallery);
  link.href = `/people/${one.gallery_id}/${one.subject_id}`;
  const more = `${one.purpose} · ${photos.replace("{count}", one.photos)}`;
  return make("li", "", make("p", "", link), make("p", "hint", more));
}

// Stays on the page: the other purposes are for this answer alone.
document.querySelector("#elsewhere")?.addEventListener("acted", (event) => {
  event.preventDefault();
  const form = event.target;
  const { answer, entries } = event.detail;
  const { none, photos } = form.dataset;
  document.querySelector("#others").replaceChildren(...answer.records.map((one) => purpose(one, photos)));
  form.querySelector("[data-outcome]").textContent = answer.records.length ? "" : none;
  showProof(form.querySelector(".proof"), entries);
});
