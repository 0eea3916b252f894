// Forms that do something with a person: <form data-act="POST /v1/…" data-then="/where to go">. What was done is said
// on the next page, with its entries in the ledger.

import { Refused, perform } from "/static/api.js";
import { doing, json } from "/static/doing.js";
import { keep } from "/static/done.js";
import { bodyOf } from "/static/forms.js";
import { words } from "/static/words.js";

const SUBJECT = /^sub_[a-z2-7]{16}$/;

// "fields.phone" goes into fields; `more_name` and `more_value` are one more field of them.
function shaped(flat) {
  const { more_name: name, more_value: value, ...rest } = flat;
  const body = {};
  for (const [key, one] of Object.entries(rest)) {
    const [group, inner] = key.split(".");
    if (inner) body[group] = { ...body[group], [inner]: one };
    else body[key] = one;
  }
  if (name && value) body.fields = { ...body.fields, [name]: value };
  return body;
}

// Another record may be named by its reference: then it is looked up.
async function named(form, body) {
  if (!form.dataset.find || !body.into || SUBJECT.test(body.into)) return body;
  const asked = json({ reference: body.into, reason: body.reason });
  const { answer } = await perform("POST", `/v1/galleries/${form.dataset.find}/find`, asked);
  if (!answer.subject_id) throw new Refused(404, words.nobody);
  return { ...body, into: answer.subject_id };
}

function next(form, answer) {
  const then = form.dataset.then ?? location.pathname;
  return then.replace("{subject_id}", answer.subject_id ?? "").replace("{gallery_id}", answer.gallery_id ?? "");
}

function finish(form, made) {
  const event = new CustomEvent("acted", { detail: made, bubbles: true, cancelable: true });
  if (!form.dispatchEvent(event)) return;
  keep(made.entries, form.dataset.said);
  location.assign(next(form, made.answer));
}

async function submit(form, outcome) {
  const [method, path] = form.dataset.act.split(" ");
  const body = await named(form, shaped({ ...bodyOf(form), ...form.given }));
  const query = method === "DELETE" ? `?${new URLSearchParams(body)}` : "";
  const made = await doing(method, path + query, query ? undefined : json(body), outcome);
  if (made) finish(form, made);
}

function arm(form) {
  const outcome = form.querySelector("[data-outcome]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (event.submitter?.dataset.sure && !window.confirm(event.submitter.dataset.sure)) return;
    const buttons = [...form.querySelectorAll("button")];
    for (const one of buttons) one.disabled = true;
    outcome.textContent = words.working;
    try {
      await submit(form, outcome);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      outcome.textContent = error.message;
    } finally {
      for (const one of buttons) one.disabled = false;
      if (outcome.textContent === words.working) outcome.textContent = "";
    }
  });
}

for (const form of document.querySelectorAll("form[data-act]")) arm(form);
