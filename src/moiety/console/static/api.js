// Calls to the API as the session of this page. A refusal becomes an Error with the API's own sentence.

import { words } from "/static/words.js";

export class Refused extends Error {
  constructor(status, detail, problem = "") {
    super(detail);
    this.status = status;
    this.problem = problem.split(":").at(-1);
  }
}

async function call(method, path, body, more = {}) {
  let reply;
  try {
    const headers = { "X-Moiety": "1", Accept: "application/json", ...more };
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    reply = await fetch(path, { method, body, headers });
  } catch {
    throw new Refused(0, words.gateSilent);
  }
  const text = await reply.text();
  let said = {};
  try {
    said = text ? JSON.parse(text) : {};
  } catch {
    throw new Refused(reply.status, words.gateStrange);
  }
  if (!reply.ok && reply.status === 401) {
    throw new Refused(401, said.detail ?? words.sessionOver);
  }
  return { reply, said };
}

// Does something; gives the answer with the numbers of its entries in the ledger, or the question that it became.
export async function perform(method, path, body, more) {
  const { reply, said } = await call(method, path, body, more);
  if (!reply.ok) throw new Refused(reply.status, said.detail ?? words.gateRefused, said.type);
  const entries = (reply.headers.get("Moiety-Entries") ?? "").split(" ").filter(Boolean).map(Number);
  return { answer: said, waits: reply.status === 202, entries };
}

export const ask = async (method, path, body, more) => (await perform(method, path, body, more)).answer;

// Fetches a file as text.
export async function fetched(path) {
  const reply = await fetch(path, { headers: { "X-Moiety": "1" } });
  if (!reply.ok) throw new Refused(reply.status, (await reply.json()).detail);
  return reply.text();
}

// What a page asks by itself, again and again, keeps nobody signed in.
const RESTING = { "X-Moiety-Resting": "1" };

export const questions = async (resting) =>
  (await ask("GET", "/v1/questions", undefined, resting ? RESTING : {})).questions;
export const question = (id) => ask("GET", `/v1/questions/${encodeURIComponent(id)}`);
export const material = (id) => ask("GET", `/v1/questions/${encodeURIComponent(id)}/material`);
export const send = (id, signature) =>
  ask("POST", `/v1/questions/${encodeURIComponent(id)}/signatures`, JSON.stringify(signature));

// Which parts answer: the same object whether all of them do (200) or not (503).
export async function parts() {
  const { said } = await call("GET", "/v1/ready");
  return said.parts ?? null;
}

export async function leave() {
  await call("DELETE", "/v1/session");
}
