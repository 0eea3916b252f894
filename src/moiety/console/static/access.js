// The page about oneself and one's colleagues: passkeys, what waits for a second person, who works here.

import { Refused, ask } from "/static/api.js";
import { tell } from "/static/signin.js";
import { atWitness } from "/static/witness.js";

const of = (id) => document.getElementById(id);
const signAt = of("access").dataset.signAt;
const KINDS = {
  invite: "Somebody shall work here",
  roles: "Other roles for somebody",
  recovery: "A way back for somebody",
  key: "A key for a program",
  policy: "Another policy of a gallery",
  threshold: "Another threshold of a gallery",
  "bulk-export": "An export of many people",
  "legal-hold": "A legal hold",
  "case-search": "A search in a case",
};
let me = null;

const may = (permission) => me.permissions.some((one) => one.split("@")[0] === permission);
const json = (method, path, body) => ask(method, path, JSON.stringify(body));

function make(tag, words, name) {
  const element = document.createElement(tag);
  element.textContent = words;
  if (name) element.className = name;
  return element;
}

function button(words, work, name = "button") {
  const made = make("button", words, name);
  made.type = "button";
  made.addEventListener("click", () => tell(of("trouble"), made, work));
  return made;
}

// ---- oneself ----

async function addPasskey() {
  const question = async () => {
    const { record, name } = await ask("POST", "/v1/session/passkeys/begin");
    return { moiety: "joining/1", record, name, known: me.passkeys };
  };
  const { record, authenticator_data, client_data } = await atWitness(of("access").dataset.registerAt, question, "joined/1");
  await json("POST", "/v1/session/passkeys", { record, authenticator_data, client_data });
  await show();
}

function showMe() {
  of("who").textContent = me.name;
  of("roles").textContent = me.roles.join(", ");
  const missing = me.passkeys_wanted - me.passkeys.length;
  of("passkeys").textContent =
    missing > 0
      ? "You have one passkey. Add a second one on another device: whoever loses the only one needs two colleagues to come back."
      : `You have ${me.passkeys.length} passkeys.`;
}

// ---- approvals ----

async function sign(one) {
  const question = () => ask("GET", `/v1/approvals/${one.id}/material`);
  const { signer, value } = await atWitness(signAt, question, "approval-signed/1");
  await json("POST", `/v1/approvals/${one.id}/signatures`, { signer, value });
  await show();
}

async function carryOut(one) {
  const { result } = await ask("POST", `/v1/approvals/${one.id}/carry-out`);
  of("result").hidden = false;
  of("result-words").textContent = result.way
    ? "Give this link to the person themselves. It works once, within a day, and is shown only now."
    : "Done.";
  of("result-link").textContent = result.way ? `${location.origin}/join#${result.way}` : (result.token ?? "");
  await show();
}

async function drop(one) {
  await ask("DELETE", `/v1/approvals/${one.id}`);
  await show();
}

function acts(one) {
  const mine = one.proposer === me.id;
  if (!may("access:approval:sign")) return [];
  if (one.state === "open" && !mine) return [button("Sign", () => sign(one), "button primary"), button("Refuse", () => drop(one))];
  if (one.state === "approved" && mine) return [button("Carry out", () => carryOut(one), "button primary")];
  return one.state === "open" ? [button("Withdraw", () => drop(one))] : [];
}

function approval(one) {
  const row = document.createElement("li");
  row.dataset.id = one.id;
  row.dataset.state = one.state;
  const facts = document.createElement("dl");
  for (const { name, value } of one.facts) facts.append(make("dt", name), make("dd", value));
  const by = `${one.state}; proposed by ${one.proposer_name || one.proposer}${one.approver ? `, signed by ${one.approver_name || one.approver}` : ""}`;
  const actions = make("div", "", "actions");
  actions.append(...acts(one));
  row.append(make("h3", KINDS[one.kind] ?? one.kind), facts, make("p", one.reason), make("p", by, "hint"), actions);
  return row;
}

async function showApprovals() {
  of("approvals").hidden = !may("access:approval:read");
  if (of("approvals").hidden) return;
  const { approvals } = await ask("GET", "/v1/approvals");
  const waiting = approvals.filter((one) => ["open", "approved"].includes(one.state));
  of("waiting").replaceChildren(...waiting.map(approval));
  of("none").hidden = waiting.length > 0;
}

// ---- who works here ----

function colleague(one) {
  const row = document.createElement("li");
  row.append(make("h3", one.name || "not named yet"), make("p", `${one.roles.join(", ")}; ${one.state}, ${one.sessions} signed in`, "hint"));
  if (may("access:operator:manage") && one.sessions) {
    row.append(button("End all sessions", async () => {
      await ask("DELETE", `/v1/operators/${one.id}/sessions`);
      await show();
    }));
  }
  return row;
}

async function showColleagues() {
  of("colleagues").hidden = !may("access:operator:read");
  of("invite").hidden = !may("access:operator:manage");
  if (of("colleagues").hidden) return;
  const { operators } = await ask("GET", "/v1/operators");
  of("people").replaceChildren(...operators.map(colleague));
}

async function invite() {
  const roles = [...of("role").selectedOptions].map((one) => one.value);
  await json("POST", "/v1/operators", { name: of("name").value.trim(), roles, reason: of("reason").value.trim() });
  of("invite-form").reset();
  await show();
}

async function show() {
  me = await ask("GET", "/v1/session");
  showMe();
  await showApprovals();
  await showColleagues();
}

of("add").addEventListener("click", () => tell(of("trouble"), of("add"), addPasskey));
of("invite-form").addEventListener("submit", (event) => {
  event.preventDefault();
  tell(of("trouble"), of("propose"), invite);
});
show().catch((error) => {
  if (!(error instanceof Refused)) throw error;
  of("trouble").textContent = error.message;
});
