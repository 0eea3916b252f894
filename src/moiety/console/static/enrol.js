// Somebody under eighteen has a guardian: asked for when the tick or the birth date says so.

const ADULT_YEARS = 18;
const minor = document.querySelector("#minor");
const guardian = document.querySelector("#guardian");
const birth = document.querySelector("#birth");

function show() {
  guardian.hidden = !minor.checked;
  for (const one of guardian.querySelectorAll("input")) one.disabled = !minor.checked;
}

birth.addEventListener("change", () => {
  if (!birth.value) return;
  const grown = new Date(`${birth.value}T00:00`);
  grown.setFullYear(grown.getFullYear() + ADULT_YEARS);
  minor.checked = grown > new Date();
  show();
});
minor.addEventListener("change", show);
show();
