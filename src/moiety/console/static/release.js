// A written release: drawn, a picture of a signature, or a passkey that the person makes on the witness's page.

import { Refused, ask } from "/static/api.js";
import { pad } from "/static/drawing.js";
import { atWitness } from "/static/witness.js";
import { words } from "/static/words.js";

const PNG_BYTES_MAX = 40000;
const form = document.querySelector("#release");
const outcome = form.querySelector("[data-outcome]");
const submit = form.querySelector("[type=submit]");
const text = (raw) => btoa(String.fromCharCode(...raw)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function give(release) {
  form.given = release;
  submit.disabled = release === null;
}

const drawn = pad(form.querySelector("canvas"), (strokes) => give(strokes.length ? { strokes } : null));

form.querySelector("#again").addEventListener("click", () => {
  drawn.clear();
  form.querySelector("#scan").value = "";
});

form.querySelector("#scan").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  outcome.textContent = "";
  if (!file) return;
  if (file.size > PNG_BYTES_MAX || file.type !== "image/png") {
    outcome.textContent = words.pngNeeded;
    event.target.value = "";
    return;
  }
  drawn.clear();
  give({ png: text(new Uint8Array(await file.arrayBuffer())) });
});

form.querySelector("#passkey")?.addEventListener("click", async (event) => {
  outcome.textContent = "";
  if (!form.reportValidity()) return;
  const day = form.elements.ends_at.value;
  const asked = new URLSearchParams({ ends_at: new Date(`${day}T00:00`).toISOString(), notice: form.elements.notice.value });
  const name = form.elements.signed_by.value.trim();
  const question = async () => ({ moiety: "release/1", name, ...(await ask("GET", `${form.dataset.wording}?${asked}`)) });
  try {
    const { registration, client_data, authenticator_data, signature } = await atWitness(
      event.target.dataset.at,
      question,
      "released/1",
    );
    give({ passkey: { registration, client_data, authenticator_data, signature } });
    form.requestSubmit(submit);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    outcome.textContent = error.message;
  }
});

give(null);
