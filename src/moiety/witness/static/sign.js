// The page on which a person signs a warrant: it takes a question, checks it itself, shows it, and asks the passkey.

import { Refused, check } from "/static/check.js";
import { hex, sha256 } from "/static/pack.js";
import { NoPasskey, sign } from "/static/passkey.js";
import { atHome, copy, gates, of, rpId } from "/static/site.js";
import { STAFF_KINDS, checkStaff } from "/static/staff.js";
import { groups, left, rows, title } from "/static/words.js";

let found = null;
let answerTo = null;
let address = null;

const KINDS = ["question/1", "session/1", ...STAFF_KINDS];
const seconds = () => Math.floor(Date.now() / 1000);

// Shows one of the page's states, and moves whoever reads along to its heading.
function stage(name) {
  for (const one of ["empty", "refused", "asked", "done"]) of(one).hidden = one !== name;
  if (name !== "empty") of(name).querySelector("h1").focus();
}

function refuse(words) {
  found = null;
  of("why").textContent = words;
  stage("refused");
}

function row([name, value, hint]) {
  const term = document.createElement("dt");
  term.textContent = name;
  const words = document.createElement("dd");
  words.textContent = value;
  if (hint) {
    const aside = document.createElement("span");
    aside.className = "hint";
    aside.textContent = hint;
    words.append(aside);
  }
  return [term, words];
}

function frame() {
  const picture = of("picture");
  const { naturalWidth: width, naturalHeight: height } = picture;
  of("frame").hidden = !found?.warrant;
  if (!found?.warrant || !found.picture || !width) return;
  const scale = picture.clientWidth / width;
  const [x, y, w, h] = found.warrant.box;
  Object.assign(of("frame").style, {
    left: `${x * scale}px`,
    top: `${y * scale}px`,
    width: `${w * scale}px`,
    height: `${h * scale}px`,
  });
}

async function draw(picture) {
  of("shown").hidden = !picture;
  of("face").hidden = !found.warrant;
  if (!picture) return;
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([picture]));
  of("picture").src = address;
  try {
    await of("picture").decode();
  } catch {
    throw new Refused("This browser cannot show the picture, so you cannot know what you would sign.");
  }
}

function passing() {
  if (!found || of("asked").hidden) return;
  const rest = found.expires - seconds();
  of("left").textContent = found.grant || found.lasting ? "" : left(rest);
  if (rest <= 0) refuse("The time to sign this has passed. Ask the question again.");
}

function awaits(picture) {
  of("wanted").hidden = !picture;
  of("sign").disabled = picture;
}

// The proposal names a picture by its hash alone: whoever signs opens that very file, and sees it before they can sign.
async function see(file) {
  const asked = found;
  const picture = new Uint8Array(await file.arrayBuffer());
  const digest = hex(await sha256(picture));
  if (found !== asked || !asked?.wanted) return;
  const same = digest === asked.wanted;
  of("trouble").textContent = same ? "" : "This is another picture than the one that would be searched for.";
  if (!same) return;
  try {
    await draw(picture);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(error.message);
    return;
  }
  awaits(false);
  of("sign").focus();
}

async function take(question) {
  try {
    const ofStaff = STAFF_KINDS.includes(question?.moiety);
    found = ofStaff ? await checkStaff(question, seconds(), answerTo) : await check(question, seconds());
    await draw(found.picture);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(error.message);
    return;
  }
  of("title").textContent = found.title ?? title(found);
  of("facts").replaceChildren(...(found.rows ?? rows(found)).flatMap(row));
  of("digest").textContent = groups(hex(found.digest));
  const { wanted, signed } = found.hints;
  of("second").hidden = wanted !== 2;
  of("second").textContent = signed === 1 ? "One person has signed. You are the second." : "Two people must sign this.";
  of("trouble").textContent = "";
  awaits(typeof found.wanted === "string");
  stage("asked");
  frame();
  passing();
}

// ---- where questions come from: the gate's console that opened this window, a file, or the clipboard ----

window.addEventListener("message", async (event) => {
  if (!gates.includes(event.origin) || event.source !== window.opener || !KINDS.includes(event.data?.moiety)) return;
  answerTo = event.origin;
  await take(event.data);
});

async function read(text) {
  let question = null;
  try {
    question = JSON.parse(text);
  } catch {
    refuse("This is not a question to be signed.");
    return;
  }
  answerTo = null;
  await take(question);
}

of("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await read(await file.text());
  event.target.value = "";
});

of("see").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await see(file);
  event.target.value = "";
});

of("paste").addEventListener("submit", async (event) => {
  event.preventDefault();
  await read(of("pasted").value);
});

// ---- signing ----

async function give() {
  const { signer, value } = await sign(found.digest, rpId);
  const question = { moiety: "signature/1", question: found.id, paper: 0, scheme: "passkey", signer, value };
  const made = found.grant
    ? { moiety: "session-signed/1", grant: found.encoded, signer, value }
    : (found.made?.({ signer, value }) ?? question);
  if (answerTo && window.opener) window.opener.postMessage(made, answerTo);
  of("handed").hidden = !answerTo;
  of("byhand").hidden = Boolean(answerTo);
  of("signature").value = JSON.stringify(made);
  stage("done");
}

of("sign").addEventListener("click", async () => {
  of("sign").disabled = true;
  of("trouble").textContent = "";
  try {
    await give();
  } catch (error) {
    if (!(error instanceof NoPasskey)) throw error;
    of("trouble").textContent = error.message;
  } finally {
    of("sign").disabled = false;
  }
});

function leave() {
  found = null;
  if (window.opener) window.close();
  stage("empty");
}

of("decline").addEventListener("click", leave);
of("close").addEventListener("click", leave);
for (const button of document.querySelectorAll(".another")) button.addEventListener("click", () => stage("empty"));
of("copy").addEventListener("click", () => copy(of("signature"), of("copy")));

new ResizeObserver(frame).observe(of("picture"));
setInterval(passing, 1000);

if (atHome()) {
  of("waits").hidden = !window.opener;
  of("stages").hidden = false;
  stage("empty");
  // Whoever opened this window learns nothing from this but that the page is ready; strangers do not get it at all.
  for (const gate of gates) window.opener?.postMessage({ moiety: "ready/1" }, gate);
}
