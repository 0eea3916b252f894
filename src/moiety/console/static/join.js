// The page that an invitation's link opens: a first passkey is made, then its owner signs in.

import { Refused, ask } from "/static/api.js";
import { signIn, tell } from "/static/signin.js";
import { atWitness } from "/static/witness.js";

const of = (id) => document.getElementById(id);
const code = location.hash.slice(1);
const make = of("make");
const enter = of("enter");
let begun = null;

const begin = () => ask("POST", "/v1/join/begin", JSON.stringify({ code }));

async function show() {
  try {
    if (!code) throw new Refused(0, of("begin").dataset.linkWanted);
    begun = await begin();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    of("useless").hidden = false;
    of("trouble").textContent = error.message;
    return;
  }
  of("roles").textContent = begun.roles.join(", ");
  of("name").value = begun.name;
  of("name").readOnly = Boolean(begun.name);
  of("begin").hidden = false;
}

async function join() {
  const name = of("name").value.trim();
  if (!name) throw new Refused(0, of("begin").dataset.nameWanted);
  const question = async () => {
    begun = await begin();
    return { moiety: "joining/1", record: begun.record, name, known: [] };
  };
  const made = await atWitness(begun.register_at, question, "joined/1");
  const { record, authenticator_data, client_data } = made;
  await ask("POST", "/v1/join", JSON.stringify({ code, name, record, authenticator_data, client_data }));
  history.replaceState(null, "", "/join");
  of("begin").hidden = true;
  of("made").hidden = false;
  of("made").querySelector("h1").focus();
}

make.addEventListener("click", () => tell(of("trouble"), make, join));
// Where an organisation says first who somebody is, the page for that goes on.
const goOn = async () => ("organisation" in enter.dataset ? location.assign("/sign-in") : signIn(enter.dataset.signAt));
enter.addEventListener("click", () => tell(of("trouble"), enter, goOn));
show();
