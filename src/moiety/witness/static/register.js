// The page on which a person makes a passkey, and gets the lines that a vault's keeper puts on the roster.

import { toText } from "/static/pack.js";
import { NoPasskey, create } from "/static/passkey.js";
import { atHome, copy, of, origin, rpId } from "/static/site.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function trouble(words) {
  of("trouble").textContent = words;
}

of("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = of("name").value.trim();
  const good = NAME.test(name);
  of("name").setAttribute("aria-invalid", String(!good));
  if (!good) {
    trouble("A handle has 1 to 63 letters, digits, dots and dashes, such as a.lovelace.");
    of("name").focus();
    return;
  }
  trouble("");
  of("create").disabled = true;
  try {
    const data = await create(name, rpId);
    of("made").value = JSON.stringify({ moiety: "passkey/1", name, rp_id: rpId, origin, authenticator_data: toText(data) });
    of("begin").hidden = true;
    of("done").hidden = false;
    of("done").querySelector("h1").focus();
  } catch (error) {
    if (!(error instanceof NoPasskey)) throw error;
    trouble(error.message);
  } finally {
    of("create").disabled = false;
  }
});

of("copy").addEventListener("click", () => copy(of("made"), of("copy")));
of("stages").hidden = !atHome();
