// Doing something by the API: where people must sign first, that is said, and the answer is waited for.

import { perform } from "/static/api.js";
import { make } from "/static/making.js";
import { answerOf, beginSigning } from "/static/signing.js";
import { words } from "/static/words.js";

function askToSign(question, place) {
  const said = question.wanted === 1 ? words.signOne : words.signTwo;
  place.replaceChildren(make("span", "", said));
  if (!question.sign_at) return;
  const button = make("button", "button", words.sign);
  button.type = "button";
  button.addEventListener("click", () => beginSigning(question.id));
  place.append(" ", button);
}

// Gives the answer and the numbers of the ledger's entries; null when nobody waits any more. `place` is spoken.
export async function doing(method, path, body, place, still = () => true) {
  const made = await perform(method, path, body);
  if (!made.waits) return made;
  askToSign(made.answer, place);
  const now = await answerOf(made.answer.id, still);
  place.replaceChildren();
  return now && { answer: now.answer, entries: now.entries ?? [] };
}

export const json = (body) => JSON.stringify(body);

export function form(parts) {
  const made = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (value instanceof Blob) made.append(name, value, "picture");
    else if (value !== "") made.append(name, value);
  }
  return made;
}
