// Forms that a page sends to the API: <form data-send="POST /v1/…" data-then="/where to go">. The device's key signs
// each request, so the worker must see it: browsers' own way of sending forms goes past it.

import { Refused, perform } from "/static/api.js";
import { keep } from "/static/done.js";

// What a field's words become in JSON; `day` is midnight of this place in seconds since 1970, `lines` is one a line.
const AS = {
  number: (field) => (field.value === "" ? null : Number(field.value)),
  bool: (field) => field.checked,
  day: (field) => (field.value === "" ? null : new Date(`${field.value}T00:00`).getTime() / 1000),
  moment: (field) => (field.value === "" ? null : new Date(field.value).toISOString()),
  lines: (field) => field.value.split("\n").map((one) => one.trim()).filter(Boolean),
  many: (field) => [...field.selectedOptions].map((one) => one.value),
};

// A field with `data-fact` becomes a line of a proposal; ticked ones with data-as="each" become a list.
export function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    const { as, fact } = field.dataset;
    const away = (field.type === "radio" || as === "each") && !field.checked;
    if (!(field.name || fact) || field.disabled || away) continue;
    const value = (AS[as] ?? ((one) => one.value.trim()))(field);
    if (value === null || value === "") continue;
    if (fact) (body.facts ??= []).push({ name: fact, value: String(value) });
    else if (as === "each") (body[field.name] ??= []).push(value);
    else body[field.name] = value;
  }
  return body;
}

// What one person alone may not do, a form lays before a second one, if it says as what: <form data-kind="rules">.
// All that it would have sent is the lines of the proposal.
async function propose(form, { reason, ...body }) {
  const word = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
  const facts = Object.entries(body).map(([name, value]) => ({ name: name.replaceAll("_", " "), value: word(value) }));
  const { kind, gallery } = form.dataset;
  return perform("POST", "/v1/approvals", JSON.stringify({ kind, gallery, facts, reason }));
}

// Sends a form; what was done is said on the page that follows. Gives where to go.
async function send(form) {
  const [method, path] = form.dataset.send.split(" ");
  const body = bodyOf(form);
  try {
    const made = await perform(method, path, Object.keys(body).length ? JSON.stringify(body) : undefined);
    if (made.entries.length) keep(made.entries);
    return form.dataset.then;
  } catch (error) {
    if (error.problem !== "not-approved" || !form.dataset.kind) throw error;
    keep((await propose(form, body)).entries, form.dataset.waits);
    return "/approvals";
  }
}

// Lets a form be sent by its button; a refusal is said inside of it, and it can be sent again.
export function arm(form) {
  let place = form.querySelector("[role=alert]");
  if (!place) {
    place = document.createElement("p");
    place.className = "trouble";
    place.setAttribute("role", "alert");
    form.append(place);
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = form.querySelectorAll("button");
    const sure = event.submitter?.dataset.sure;
    if (sure && !window.confirm(sure)) return;
    place.textContent = "";
    for (const one of buttons) one.disabled = true;
    try {
      const then = await send(form);
      if (then) location.assign(then);
      else location.reload();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      place.textContent = error.message;
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  });
}
