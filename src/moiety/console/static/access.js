// The page about oneself: one's passkeys.

import { Refused, ask } from "/static/api.js";
import { tell } from "/static/signin.js";
import { atWitness } from "/static/witness.js";

const of = (id) => document.getElementById(id);
const words = of("access").dataset;
let me = null;

async function addPasskey() {
  const question = async () => {
    const { record, name } = await ask("POST", "/v1/session/passkeys/begin");
    return { moiety: "joining/1", record, name, known: me.passkeys };
  };
  const { record, authenticator_data, client_data } = await atWitness(words.registerAt, question, "joined/1");
  await ask("POST", "/v1/session/passkeys", JSON.stringify({ record, authenticator_data, client_data }));
  await show();
}

async function show() {
  me = await ask("GET", "/v1/session");
  of("who").textContent = me.name;
  of("roles").textContent = me.roles.join(", ");
  const missing = me.passkeys_wanted - me.passkeys.length;
  of("passkeys").textContent = missing > 0 ? words.one : words.several.replace("{}", me.passkeys.length);
}

of("add").addEventListener("click", () => tell(of("trouble"), of("add"), addPasskey));
show().catch((error) => {
  if (!(error instanceof Refused)) throw error;
  of("trouble").textContent = error.message;
});
