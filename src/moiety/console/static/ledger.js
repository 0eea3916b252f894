// The ledger's pages: reasons that auditors open, proofs and tables that are saved.

import { Refused, ask, fetched } from "/static/api.js";
import { save } from "/static/saving.js";
import { words } from "/static/words.js";

async function trying(button, work) {
  const outcome = button.closest("section").querySelector("[data-outcome]");
  outcome.textContent = "";
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    outcome.textContent = error.message;
  }
}

for (const button of document.querySelectorAll("[data-proof]")) {
  const proof = button.dataset.proof;
  button.addEventListener("click", () => save(`entry-${JSON.parse(proof).seq}.json`, "application/json", proof));
}

for (const button of document.querySelectorAll("[data-reason]")) {
  button.addEventListener("click", () =>
    trying(button, async () => {
      const told = await ask("GET", `/v1/ledger/entries/${button.dataset.reason}/reason`);
      document.querySelector("#reason-of").textContent = told.reason;
      button.remove();
    }),
  );
}

for (const button of document.querySelectorAll("[data-table]")) {
  button.addEventListener("click", () =>
    trying(button, async () => {
      const outcome = button.closest("section").querySelector("[data-outcome]");
      save("ledger.csv", "text/csv", await fetched(button.dataset.table));
      outcome.textContent = words.saved;
    }),
  );
}
