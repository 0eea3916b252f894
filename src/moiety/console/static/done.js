// What one page did is said on the next, with its entries in the ledger.

import { showProof } from "/static/proof.js";
import { words } from "/static/words.js";

const KEPT = "moiety.done";

// Keeps what is to be said: words, and the numbers of the entries.
export function keep(entries, told = words.done) {
  sessionStorage.setItem(KEPT, JSON.stringify({ told, entries }));
}

// Says it, where there is a place for it; until then it is kept.
export function sayWhatWasDone() {
  const kept = sessionStorage.getItem(KEPT);
  const place = document.querySelector("#done");
  if (!kept || !place) return;
  sessionStorage.removeItem(KEPT);
  const { told, entries } = JSON.parse(kept);
  place.hidden = false;
  place.querySelector("p").textContent = told;
  showProof(place.querySelector(".proof"), entries);
}
