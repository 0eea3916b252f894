// The page on which people sign in; which buttons there are, the page says.

import { ask } from "/static/api.js";
import { signIn, tell } from "/static/signin.js";

const of = (id) => document.getElementById(id);

const ways = {
  enter: () => signIn(of("enter").dataset.signAt),
  organisation: async () => location.assign((await ask("POST", "/v1/session/organisation")).address),
  "leave-organisation": async () => location.assign((await ask("POST", "/v1/session/organisation/leave")).address),
};

for (const [id, way] of Object.entries(ways)) {
  of(id)?.addEventListener("click", () => tell(of("trouble"), of(id), way));
}
