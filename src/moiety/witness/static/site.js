// What the witness told its page: its own name, and which gates may hand questions to it.

function told(name) {
  return document.querySelector(`meta[name="moiety-${name}"]`).content;
}

export const rpId = told("rp");
export const origin = told("origin");
export const gates = told("gates").split(" ").filter(Boolean);
export const of = (id) => document.getElementById(id);

// A passkey is bound to the page's address, so the page is of use at that address only.
export function atHome() {
  if (location.origin === origin) return true;
  of("elsewhere").hidden = false;
  of("home").textContent = origin;
  of("home").href = origin + location.pathname;
  return false;
}

// Copies the text of a field; where the browser does not allow it, the text is selected for copying by hand.
export async function copy(field, button) {
  field.focus();
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    button.textContent = "Selected: copy it by hand";
  }
}
