// Many photos of many people: the files' names are the references.

import { Refused } from "/static/api.js";
import { add } from "/static/results.js";
import { why } from "/static/reveal.js";
import { how, onDrop } from "/static/taking.js";
import { words } from "/static/words.js";

const form = document.querySelector("#many");
const outcome = form.querySelector("[data-outcome]");

// "Ada King_0001.jpg" is of "Ada King".
function reference(name) {
  return name.replace(/\.[A-Za-z]{3,4}$/, "").replace(/[_ -]*\d{1,6}$/, "").trim();
}

function take(files) {
  outcome.textContent = "";
  try {
    const reason = why(form.elements.reason);
    const capture = how(form);
    if (capture === "sent" && !("alone" in form.dataset)) throw new Refused(0, words.oneByOne);
    for (const image of files) {
      const whose = reference(image.name);
      add(image, form.dataset.to, whose ? { image, reason, capture, reference: whose } : null);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    outcome.textContent = error.message;
  }
}

document.querySelector("#files").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = "";
});
form.addEventListener("submit", (event) => event.preventDefault());
onDrop(document.querySelector("#drop"), take);
