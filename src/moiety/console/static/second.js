// Searches that two people stand behind: proposed with the picture's hash and the case, used once it is signed.

import { Refused, ask } from "/static/api.js";
import { json } from "/static/doing.js";

const KIND = "case-search";

const hex = (bytes) => Array.from(new Uint8Array(bytes), (one) => one.toString(16).padStart(2, "0")).join("");

async function wanted(image, of) {
  const picture = hex(await crypto.subtle.digest("SHA-256", await image.arrayBuffer()));
  return { case: of, picture };
}

// Finds the reader's own approval of exactly this search that is still of use.
async function found(gallery, lines, me) {
  const { approvals } = await ask("GET", "/v1/approvals");
  return approvals.find(
    (one) =>
      one.kind === KIND &&
      one.gallery === gallery &&
      one.proposer === me &&
      ["open", "approved"].includes(one.state) &&
      Date.parse(one.expires_at) > Date.now() &&
      one.facts.length === 2 &&
      one.facts.every(({ name, value }) => lines[name] === value),
  );
}

// Runs `search(approval)`; where it needs a colleague, proposes it, and gives null: it is asked again later.
export async function withSecond(search, { gallery, image, of, reason, me, say }) {
  const lines = await wanted(image, of);
  const there = await found(gallery, lines, me);
  if (there?.state === "open") {
    say("awaits");
    return null;
  }
  try {
    return await search(there?.id);
  } catch (error) {
    if (!(error instanceof Refused) || error.problem !== "not-approved" || there) throw error;
  }
  if (!of) {
    say("case");
    return null;
  }
  const facts = Object.entries(lines).map(([name, value]) => ({ name, value }));
  await ask("POST", "/v1/approvals", json({ kind: KIND, gallery, facts, reason }));
  say("proposed");
  return null;
}
