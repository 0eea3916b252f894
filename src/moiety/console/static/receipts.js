// Receipts are saved as files for the person.

import { save } from "/static/saving.js";

for (const button of document.querySelectorAll("[data-receipt]")) {
  button.addEventListener("click", () => save("receipt.json", "application/json", button.dataset.receipt));
}
