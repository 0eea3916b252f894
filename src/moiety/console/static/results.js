// Photos that are sent one after the other: how far it is, and in plain words what came of each.

import { Refused } from "/static/api.js";
import { doing, form } from "/static/doing.js";
import { make } from "/static/making.js";
import { said, words } from "/static/words.js";

const AT_ONCE = 3;
const list = document.querySelector("#results");
const bar = document.querySelector("#progress");
const told = document.querySelector("#progress-words");
const counts = { all: 0, done: 0, kept: 0, refused: 0 };
const queue = [];
let running = 0;

function tell() {
  bar.hidden = false;
  bar.max = Math.max(counts.all, 1);
  bar.value = counts.done;
  told.textContent = said(words.progress, counts);
}

async function one({ row, name, to, parts }) {
  const place = row.querySelector(".said");
  place.textContent = words.sending;
  try {
    if (!parts) throw new Refused(0, words.noReference);
    const made = await doing("POST", to, form(parts), place);
    row.dataset.state = "kept";
    place.textContent = words.kept;
    if (made.answer.subject_id) row.dataset.subject = made.answer.subject_id;
    counts.kept += 1;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    row.dataset.state = "refused";
    place.textContent = error.message;
    counts.refused += 1;
  } finally {
    counts.done += 1;
    tell();
  }
  row.setAttribute("aria-label", `${name}: ${place.textContent}`);
}

async function work() {
  running += 1;
  while (queue.length) await one(queue.shift());
  running -= 1;
}

// Sends a photo to an address of the API; `parts` are null where nobody can be told whose it is.
export function add(file, to, parts) {
  const name = file.name || "";
  const row = make("li", "result", make("strong", "", name), " ", make("span", "said"));
  row.dataset.state = "waits";
  list.append(row);
  counts.all += 1;
  queue.push({ row, name, to, parts });
  tell();
  if (running < AT_ONCE) work();
}
