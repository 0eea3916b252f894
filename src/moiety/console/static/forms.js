// Forms that a page sends to the API: <form data-send="POST /v1/…" data-then="/where to go">. The device's key signs
// each request, so the worker must see it: browsers' own way of sending forms goes past it.

import { Refused, ask } from "/static/api.js";

// What a field's words become in JSON; `day` is midnight of this place in seconds since 1970, `lines` is one a line.
const AS = {
  number: (field) => (field.value === "" ? null : Number(field.value)),
  bool: (field) => field.checked,
  day: (field) => (field.value === "" ? null : new Date(`${field.value}T00:00`).getTime() / 1000),
  lines: (field) => field.value.split("\n").map((one) => one.trim()).filter(Boolean),
  many: (field) => [...field.selectedOptions].map((one) => one.value),
};

export function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    const value = (AS[field.dataset.as] ?? ((one) => one.value.trim()))(field);
    if (value !== null && value !== "") body[field.name] = value;
  }
  return body;
}

// Sends a form; gives what the API answered.
export async function send(form, more = {}) {
  const [method, path] = form.dataset.send.split(" ");
  const body = { ...bodyOf(form), ...more };
  return ask(method, path, Object.keys(body).length ? JSON.stringify(body) : undefined);
}

// Lets a form be sent by its button; a refusal is said inside of it, and it can be sent again.
export function arm(form, after = null) {
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
      const told = await send(form);
      if (after) await after(told);
      else if (form.dataset.then) location.assign(form.dataset.then);
      else location.reload();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      place.textContent = error.message;
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  });
}
