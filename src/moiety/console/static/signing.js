// Questions that wait for a signature. The signature is made in a window of the witness; this page only carries.

import { Refused, material, question, questions, send } from "/static/api.js";
import { make } from "/static/making.js";

const LIST_EVERY_MS = 5000;
const ASK_EVERY_MS = 700;
const WINDOW = "popup,width=560,height=860";
const WHAT = {
  search: "Look for a face",
  verify: "Compare a face with a person",
  enrol: "Enrol a face",
  erase: "Erase",
  reveal: "Open a field",
};

const section = document.getElementById("waits");
const list = document.getElementById("waiting");
const signAt = section.dataset.signAt;
const witness = signAt ? new URL(signAt).origin : null;

let open = null;

function tell(words, wrong = true) {
  const said = document.getElementById("waits-said");
  said.textContent = words;
  said.classList.toggle("wrong", wrong);
}

function left(ends) {
  const seconds = Math.max(0, Math.round((Date.parse(ends) - Date.now()) / 1000));
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min left` : `${seconds} s left`;
}

// Opens the witness's window for a question; what is to be signed follows when that page says it is ready.
export function beginSigning(id) {
  tell("", false);
  const page = window.open(signAt, "_blank", WINDOW);
  if (page === null) {
    tell("The browser did not open the signing window. Allow pop-ups of this page, then press Sign again.");
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

function words(one) {
  const people = one.wanted === 1 ? "One person must sign" : "Two people must sign";
  return `${one.signed ? "One of two people has signed" : people}, ${left(one.expires_at)}.`;
}

function item(one) {
  const button = make("button", "button", one.signed ? "Sign as second" : "Sign");
  button.type = "button";
  button.setAttribute("aria-label", `Sign: ${WHAT[one.act]} in ${one.gallery}`);
  button.addEventListener("click", () => beginSigning(one.id));
  const what = make("p", "name", WHAT[one.act] ?? one.act);
  const about = make("p", "meaning", `Gallery ${one.gallery}. `, make("span", "state", words(one)));
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
    row.querySelector(".state").textContent = words(one);
    const button = row.querySelector("button");
    if (button) button.textContent = one.signed ? "Sign as second" : "Sign";
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
    if (now.state === "expired") throw new Refused(0, "Nobody signed in time. Ask again.");
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
