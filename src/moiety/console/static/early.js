// A form that is sent before its script is there waits for it: the browser would put all that it says into the address.
// No module, so that it is there before the first form.

const early = new Map();

window.addEventListener("submit", (event) => {
  const form = event.target;
  // One with an address of its own is the browser's; one that its script has taken is prevented already.
  if (event.defaultPrevented || form.hasAttribute("action")) return;
  event.preventDefault();
  early.set(form, event.submitter);
});

window.addEventListener("load", () => {
  for (const [form, submitter] of early) form.requestSubmit(submitter);
  early.clear();
});
