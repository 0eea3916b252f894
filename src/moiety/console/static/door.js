// The page on which people sign in.

import { signIn, tell } from "/static/signin.js";

const button = document.getElementById("enter");

// Without the witness's address, or before anybody works here, there is none.
button?.addEventListener("click", () =>
  tell(document.getElementById("trouble"), button, () => signIn(button.dataset.signAt)),
);
