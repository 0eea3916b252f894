// Questions that wait for a signature. The signature is made in a window of the witness; this page only carries.

import { Refused, material, question, questions, send } from "/static/api.js";
import { make } from "/static/making.js";
import { said, words } from "/static/words.js";

const LIST_EVERY_MS = 5000;
const ASK_EVERY_MS = 700;
const WINDOW = "popup,width=560,height=860";
const WHAT = {
  search: words.actSearch,
  verify: words.actVerify,
  enrol: words.actEnrol,
  erase: words.actErase,
  reveal: words.actReveal,
};

const section = document.getElementById("waits");
const list = document.getElementById("waiting");
const signAt = section.dataset.signAt;
const witness = signAt ? new URL(signAt).origin : null;

let open = null;

function tell(told, wrong = true) {
  const place = document.getElementById("waits-said");
  place.textContent = told;
  place.classList.toggle("wrong", wrong);
}

function left(ends) {
  const seconds = Math.max(0, Math.round((Date.parse(ends) - Date.now()) / 1000));
  const [pattern, count] = seconds >= 60 ? [words.minutesLeft, Math.floor(seconds / 60)] : [words.secondsLeft, seconds];
  return said(pattern, { count });
}

// Opens the witness's window for a question; what is to be signed follows when that page says it is ready.
export function beginSigning(id) {
  tell("", false);
  const page = window.open(signAt, "_blank", WINDOW);
  if (page === null) {
    tell(words.windowBlocked);
    return;
  }
  open = { id, page };
}

window.addEventListener("message", async (event) => {
  if (!open || event.origin !== witness || event.source !== open.page) return;
  const { id, page } = open;
  try {
    if (event.data?.moiety === "ready/1") page.postMessage(await material(id), witness);
    if (event.data?.moiety === "signature/1" && event.data.question === id) {
      await send(id, event.data);
      open = null;
      await show();
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
  }
});

function state(one) {
  const people = one.wanted === 1 ? words.oneMust : words.twoMust;
  return said(one.signed ? words.oneHas : people, { left: left(one.expires_at) });
}

function item(one) {
  const button = make("button", "button", one.signed ? words.signSecond : words.signShort);
  button.type = "button";
  button.setAttribute("aria-label", said(words.signWhat, { act: WHAT[one.act] ?? one.act, gallery: one.gallery }));
  button.addEventListener("click", () => beginSigning(one.id));
  const what = make("p", "name", WHAT[one.act] ?? one.act);
  const about = make("p", "meaning", said(words.inGallery, one), " ", make("span", "state", state(one)));
  const row = make("li", "waiting", make("div", "words", what, about), ...(witness ? [button] : []));
  row.dataset.id = one.id;
  return row;
}

// Keeps the rows that stand there, so that a button does not vanish under a finger or the focus.
async function show(resting) {
  const waiting = (await questions(resting)).filter((one) => one.state === "waiting" && one.signed < one.wanted);
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  for (const [id, row] of rows) if (!waiting.some((one) => one.id === id)) row.remove();
  for (const one of waiting) {
    const row = rows.get(one.id);
    if (!row) {
      list.append(item(one));
      continue;
    }
    row.querySelector(".state").textContent = state(one);
    const button = row.querySelector("button");
    if (button) button.textContent = one.signed ? words.signSecond : words.signShort;
  }
  section.hidden = waiting.length === 0;
}

// Waits until a question that was asked here is answered, and gives it; `still` says whether anybody waits for it yet.
export async function answerOf(id, still) {
  await refresh();
  while (still()) {
    const now = await question(id);
    if (now.state === "answered") return now;
    if (now.state === "refused") throw new Refused(now.status, now.problem.detail);
    if (now.state === "expired") throw new Refused(0, words.tooLate);
    await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
  }
  return null;
}

export async function refresh(resting = false) {
  try {
    await show(resting);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

refresh();
setInterval(() => {
  if (!document.hidden) refresh(true);
}, LIST_EVERY_MS);
