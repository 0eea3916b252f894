// The page on which a person makes a passkey, and gets the lines that a vault's keeper puts on the roster.

import { Refused } from "/static/check.js";
import { fromText, toText } from "/static/pack.js";
import { NoPasskey, create } from "/static/passkey.js";
import { atHome, copy, gates, of, origin, rpId } from "/static/site.js";
import { checkJoining } from "/static/staff.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

// What a gate's page asks for in the window that it opened: a passkey of somebody who shall work there.
let joining = null;

function trouble(words) {
  of("trouble").textContent = words;
}

async function make(name) {
  const { data, client } = await create(name, rpId, joining?.challenge, joining?.known);
  of("begin").hidden = true;
  if (joining) {
    const made = { moiety: "joined/1", record: joining.record, authenticator_data: toText(data), client_data: toText(client) };
    window.opener.postMessage(made, joining.gate);
    of("handed").hidden = false;
    of("handed").querySelector("h1").focus();
    return;
  }
  of("made").value = JSON.stringify({ moiety: "passkey/1", name, rp_id: rpId, origin, authenticator_data: toText(data) });
  of("done").hidden = false;
  of("done").querySelector("h1").focus();
}

window.addEventListener("message", async (event) => {
  if (!gates.includes(event.origin) || event.source !== window.opener || event.data?.moiety !== "joining/1") return;
  try {
    const asked = await checkJoining(event.data, Math.floor(Date.now() / 1000), event.origin);
    joining = { ...asked, record: event.data.record, known: (event.data.known ?? []).map(fromText) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble(error.message);
    return;
  }
  of("gate").textContent = joining.gate;
  of("for").hidden = false;
  of("name-hint").hidden = true;
  of("name").value = String(event.data.name ?? "");
  of("name").readOnly = true;
});

of("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = of("name").value.trim();
  const good = joining ? name !== "" : NAME.test(name);
  of("name").setAttribute("aria-invalid", String(!good));
  if (!good) {
    trouble("A handle has 1 to 63 letters, digits, dots and dashes, such as a.lovelace.");
    of("name").focus();
    return;
  }
  trouble("");
  of("create").disabled = true;
  try {
    await make(name);
  } catch (error) {
    if (!(error instanceof NoPasskey)) throw error;
    trouble(error.message);
  } finally {
    of("create").disabled = false;
  }
});

of("copy").addEventListener("click", () => copy(of("made"), of("copy")));
of("stages").hidden = !atHome();
if (atHome()) for (const gate of gates) window.opener?.postMessage({ moiety: "ready/1" }, gate);
