// What the ledger has of an act: the entries' numbers, the checkpoint that holds them, and how to check it.

import { Refused, ask } from "/static/api.js";
import { make } from "/static/making.js";
import { said, words } from "/static/words.js";

const number = new Intl.NumberFormat(document.documentElement.lang);
const moment = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

async function checkpoint(seq, place) {
  try {
    const proof = await ask("GET", `/v1/ledger/own/${seq}/proof`);
    const size = number.format(proof.size);
    const at = proof.cosigned_at;
    place.textContent = at
      ? said(words.cosigned, { size, at: moment.format(new Date(at)) })
      : said(words.uncosigned, { size });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    place.textContent = error.message;
  }
}

// Shows the entries of an act at `place`; the last of them is proved here, each on a page of its own.
export function showProof(place, entries) {
  place.replaceChildren();
  place.hidden = entries.length === 0;
  if (place.hidden) return;
  const links = entries.flatMap((seq) => {
    const link = make("a", "alone", said(words.entry, { number: number.format(seq) }));
    link.href = `/proof/${seq}`;
    return [link, " "];
  });
  const how = make("p", "hint", words.check, " ", make("code", "", "moiety ledger verify --proof"));
  const stands = make("p", "hint", "…");
  place.append(make("p", "entries", ...links), stands, how);
  checkpoint(entries.at(-1), stands);
}
