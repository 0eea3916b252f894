// Words that scripts say: the page brings them along in its reader's language, in elements with `data-words`.

const holders = [...document.querySelectorAll("[data-words]")];

export const words = Object.assign({}, ...holders.map((one) => ({ ...one.dataset })));

// Puts values into words at {names in braces}.
export function said(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
