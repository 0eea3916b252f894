// The page "Who is this?": a picture in, faces and candidates out.

import { Refused, parts, perform } from "/static/api.js";
import { cards, sentence, summary } from "/static/answer.js";
import { form as formOf } from "/static/doing.js";
import { showProof } from "/static/proof.js";
import { withSecond } from "/static/second.js";
import { answerOf, beginSigning } from "/static/signing.js";
import { clearFrames, frame, show } from "/static/stage.js";
import { fromAnywhere } from "/static/taking.js";
import { words } from "/static/words.js";

const PARTS_EVERY_MS = 15000;
const of = (id) => document.getElementById(id);

const form = of("ask");
const gallery = of("gallery");
const reason = of("reason");
const said = of("said");
const faces = of("faces");
const again = of("again");

let image = null;
let asked = 0;

// Shows words, and speaks them (or a longer sentence) to screen readers.
function say(told, { wrong = false, spoken = told } = {}) {
  said.textContent = told;
  said.classList.toggle("wrong", wrong);
  of("spoken").textContent = spoken;
}

function busy(on) {
  of("running").hidden = !on;
  again.disabled = on || image === null;
  form.setAttribute("aria-busy", String(on));
}

async function ask() {
  if (image === null || !gallery.value) return;
  const why = reason.value.trim();
  reason.setAttribute("aria-invalid", String(why === ""));
  if (why === "") {
    say(words.reasonNeeded, { wrong: true });
    reason.focus();
    return;
  }
  // Only the newest question's answer is shown.
  const mine = ++asked;
  faces.replaceChildren();
  clearFrames();
  of("sign-now").hidden = true;
  showProof(of("proof"), []);
  say(words.looking);
  busy(true);
  try {
    const { masked, rates, reveals, reads, two } = gallery.selectedOptions[0].dataset;
    const parts = { image, reason: why, case: of("case").value.trim(), ...(masked ? { masked: "true" } : {}) };
    const search = (approval) =>
      perform("POST", `/v1/galleries/${gallery.value}/identify`, formOf({ ...parts, ...(approval ? { approval } : {}) }));
    const first = two ? await together(search, parts) : await search();
    if (mine !== asked || first === null) return;
    const made = first.waits ? await signed(first.answer, () => mine === asked) : first;
    if (mine !== asked) return;
    const found = made.answer.faces;
    frame(found);
    const where = { gallery: gallery.value, reason: why, reveals: Boolean(reveals), reads: Boolean(reads) };
    faces.replaceChildren(...cards(found, JSON.parse(rates), where));
    showProof(of("proof"), made.entries ?? []);
    say(summary(found), { spoken: sentence(found) });
    faces.firstElementChild?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (mine !== asked) return;
    if (!(error instanceof Refused)) throw error;
    say(error.message, { wrong: true });
  } finally {
    if (mine === asked) busy(false);
  }
}

// Asks with a colleague's approval of exactly this search, or proposes it and says so.
function together(search, { reason: why, case: about }) {
  const { awaits, caseNeeded, proposed, me } = form.dataset;
  const told = { awaits, case: caseNeeded, proposed };
  const given = { gallery: gallery.value, image, of: about, reason: why, me };
  return withSecond(search, { ...given, say: (what) => say(told[what], { wrong: what === "case" }) });
}

// Shows that a question must be signed, and waits for its answer.
async function signed(question, still) {
  say(question.wanted === 1 ? words.signOne : words.signTwo);
  const now = of("sign-now");
  now.onclick = () => beginSigning(question.id);
  now.hidden = question.sign_at === "";
  try {
    return await answerOf(question.id, still);
  } finally {
    if (still()) now.hidden = true;
  }
}

async function take(file) {
  if (!file) return;
  image = file;
  const visible = await show(file);
  await ask();
  if (!visible && !said.classList.contains("wrong")) {
    say(`${said.textContent} ${words.notShown}`);
  }
}

fromAnywhere({
  take: ([file]) => take(file),
  say,
  words: { on: words.cameraQuiet, off: words.cameraOff },
  watching(on) {
    if (!on) return;
    clearFrames();
    faces.replaceChildren();
  },
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

gallery.addEventListener("change", () => {
  of("purpose").textContent = gallery.selectedOptions[0].dataset.purpose;
});

async function watchParts() {
  let state = null;
  try {
    state = await parts();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  for (const item of of("parts").children) {
    const up = state?.[item.dataset.part] ?? null;
    item.dataset.state = up === null ? "unknown" : up ? "up" : "down";
    item.querySelector(".word").textContent = up === null ? words.partUnknown : up ? words.partUp : words.partDown;
  }
}

watchParts();
setInterval(() => {
  if (!document.hidden) watchParts();
}, PARTS_EVERY_MS);
