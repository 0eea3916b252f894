// The approvals inbox: signing in the witness's window, carrying out, withdrawing, refusing.

import { ask, fetched, perform } from "/static/api.js";
import { keep } from "/static/done.js";
import { showProof } from "/static/proof.js";
import { save } from "/static/saving.js";
import { tell } from "/static/signin.js";
import { atWitness } from "/static/witness.js";

const of = (id) => document.getElementById(id);
const signAt = of("waiting").dataset.signAt;

// Where acts are done that an approval is shown for, by the lines that were signed: method, address, and body.
const PLACES = {
  policy: (at, one) => ["PUT", `${at}/deployment`, {
    assessment: one.assessment,
    review_at: `${one.review}T00:00:00Z`,
    police: one.police === "yes",
    two_to_search: one["two to search"] === "yes",
  }],
  threshold: (at, one) => ["POST", `${at}/thresholds`, { report: one.report }],
  rules: (at, one) => ["PUT", `${at}/rules`, {
    consent: one.consent === "yes",
    notice: one.notice,
    basis: one.basis,
    controller: one.controller,
    source: one.source,
    keep_days: Number(one["keep days"]),
    keep_photos: one["keep photos"] === "yes",
  }],
  "legal-hold": (at, one) =>
    one.act === "hold"
      ? ["POST", `${at}/subjects/${one.subject}/holds`, { review_at: `${one.review}T00:00:00Z` }]
      : ["POST", `${at}/holds/${one.hold}/release`, {}],
};

// Does something, and says so on this page when it is loaded anew.
async function act(method, path, body) {
  keep((await perform(method, path, body)).entries);
  location.reload();
}

const ACTS = {
  async sign(id) {
    const question = () => ask("GET", `/v1/approvals/${id}/material`);
    const { signer, value } = await atWitness(signAt, question, "approval-signed/1");
    await act("POST", `/v1/approvals/${id}/signatures`, JSON.stringify({ signer, value }));
  },
  end: (id) => act("DELETE", `/v1/approvals/${id}`),
  async show(id) {
    const { kind, gallery, reason, facts } = await ask("GET", `/v1/approvals/${id}`);
    const lines = Object.fromEntries(facts.map(({ name, value }) => [name, value]));
    const [method, path, body] = PLACES[kind](`/v1/galleries/${gallery}`, lines);
    await act(method, path, JSON.stringify({ ...body, reason, approval: id }));
  },
  // The table is given once: it is saved before the page says that the approval is used up.
  async fetch(id) {
    const { gallery, reason, facts } = await ask("GET", `/v1/approvals/${id}`);
    const { people: limit, behind } = Object.fromEntries(facts.map(({ name, value }) => [name, value]));
    const after = behind.startsWith("sub_") ? { after: behind } : {};
    const asked = new URLSearchParams({ reason, approval: id, limit, ...after });
    save("people.csv", "text/csv", await fetched(`/v1/galleries/${gallery}/people.csv?${asked}`));
    location.reload();
  },
  // What comes of it (a link, a key) is shown once: the page stays as it is.
  async "carry-out"(id, row) {
    const { answer, entries } = await perform("POST", `/v1/approvals/${id}/carry-out`);
    const { result } = answer;
    const words = of("result-words");
    words.textContent = result.way ? words.dataset.link : result.token ? words.dataset.token : words.dataset.done;
    of("result-link").textContent = result.way ? `${location.origin}/join#${result.way}` : (result.token ?? "");
    of("result-box").hidden = !result.way && !result.token;
    of("result").hidden = false;
    showProof(of("result-proof"), entries);
    row.remove();
    words.focus();
  },
};

for (const button of document.querySelectorAll("#waiting [data-act]")) {
  const row = button.closest("li");
  button.addEventListener("click", () => tell(of("trouble"), button, () => ACTS[button.dataset.act](row.dataset.id, row)));
}
