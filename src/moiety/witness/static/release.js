// The page on which a person agrees, by a passkey of their own, that their face is kept. It shows what is agreed to, and
// signs the digest of exactly that.

import { pack, sha256, toText } from "/static/pack.js";
import { NoPasskey, assertion, create } from "/static/passkey.js";
import { atHome, gates, of, rpId } from "/static/site.js";
import { clock } from "/static/words.js";

const TEXTS = ["tenant", "gallery", "subject", "notice", "purpose", "name"];

let asked = null;

function trouble(words) {
  of("trouble").textContent = words;
}

function row([name, value]) {
  const [term, said] = ["dt", "dd"].map((tag) => document.createElement(tag));
  term.textContent = name;
  said.textContent = value;
  return [term, said];
}

function show() {
  const rows = [
    ["What happens", "Your face is kept, as two halves that mean nothing apart, for this purpose only."],
    ["Purpose", asked.purpose],
    ["Notice that you were shown", asked.notice],
    ["Until", clock(asked.ends)],
    ["Signed by", asked.name],
    ["Gallery", asked.gallery],
    ["Your record", asked.subject],
    ["Asked by", asked.gate],
  ];
  of("facts").replaceChildren(...rows.flatMap(row));
  of("agree").disabled = false;
}

function whole(told) {
  const texts = TEXTS.every((name) => typeof told[name] === "string" && told[name] !== "");
  return texts && Number.isSafeInteger(told.ends) && told.ends > Date.now() / 1000;
}

async function agree() {
  const { tenant, gallery, subject, notice, purpose, ends, name } = asked;
  const digest = await sha256(pack("moiety/consent/1", tenant, gallery, subject, notice, purpose, ends));
  const made = await create(name, rpId);
  const signed = await assertion(digest, rpId, [made.id]);
  const [authenticator_data, client_data, signature] = signed.parts.map(toText);
  const release = { moiety: "released/1", registration: toText(made.data), authenticator_data, client_data, signature };
  window.opener.postMessage(release, asked.gate);
  of("asked").hidden = true;
  of("done").hidden = false;
  of("done").querySelector("h1").focus();
}

window.addEventListener("message", (event) => {
  if (!gates.includes(event.origin) || event.source !== window.opener || event.data?.moiety !== "release/1") return;
  if (!whole(event.data)) {
    trouble("It is not said whole what this would agree to. Do not agree; tell whoever gave you this device.");
    return;
  }
  asked = { ...event.data, gate: event.origin };
  show();
});

of("agree").addEventListener("click", async () => {
  trouble("");
  of("agree").disabled = true;
  try {
    await agree();
  } catch (error) {
    if (!(error instanceof NoPasskey)) throw error;
    trouble(error.message);
    of("agree").disabled = false;
  }
});
of("decline").addEventListener("click", () => window.close());
of("stages").hidden = !atHome();
if (atHome()) for (const gate of gates) window.opener?.postMessage({ moiety: "ready/1" }, gate);
