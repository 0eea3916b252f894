// What people who work at a gate sign here: their sign-in, and acts that two people stand behind.

import { must, read } from "/static/check.js";
import { decodeApproval, decodeJoining, decodeSignIn, fromText, hex, sha256 } from "/static/pack.js";
import { clock, groups } from "/static/words.js";

const SKEW_SECONDS = 120;
const BEGUN_SECONDS = 300;
const SESSION_SECONDS_MAX = 12 * 3600;

const KINDS = {
  invite: ["Shall this person work here?", "They get a link by which they make a passkey, and then these roles."],
  roles: ["Shall this person have these roles?", "They take the place of all roles that the person has now."],
  recovery: ["Shall this person come back?", "They get a link by which they make a new passkey; those before it end."],
  unlock: ["Shall this account be unlocked?", "An alarm locked it; it then opens again all that it opened before."],
  key: ["Shall a program have this key?", "Whoever holds the key may do all that its scopes say, without a person."],
  policy: ["Shall this gallery be used so?", "It is asked under this impact assessment until its review, by these rules."],
  threshold: ["Shall this threshold change?", "It decides how much alike two faces must be. Read the test report first."],
  "bulk-export": ["Shall all of this be exported?", "Records of many people leave this place."],
  "legal-hold": ["Shall this be held?", "Nothing of it is erased before the review."],
  "case-search": ["Shall this search be made?", "A face is looked for in this case."],
};

async function signIn(asked, now, from) {
  must(from, "A sign-in comes from the gate's own page, which opens this window, and in no other way.");
  const record = read("sign-in", decodeSignIn, asked.record);
  must(record.gate === from, `Another page than the one that opened this window asks for it: it says ${record.gate}.`);
  must(record.issued <= now + SKEW_SECONDS, "The sign-in is from the future. Check the clock of this device.");
  must(now <= record.issued + BEGUN_SECONDS + SKEW_SECONDS, "This sign-in was begun too long ago. Begin it again.");
  must(record.expires <= now + SESSION_SECONDS_MAX + SKEW_SECONDS, "This session would last for more than twelve hours.");
  return {
    title: "Sign in?",
    expires: record.issued + BEGUN_SECONDS + SKEW_SECONDS,
    digest: await sha256(fromText(asked.record)),
    rows: [
      ["What happens", "The browser that opened this window works at the gate in your name, on this device alone.", null],
      ["Gate", record.gate, "is it the address that you wanted?"],
      ["Until", clock(record.expires), null],
      ["Key of the device", groups(hex(record.key)), null],
    ],
    made: (signed) => ({ moiety: "sign-in-signed/1", record: asked.record, ...signed }),
  };
}

async function approval(asked, now) {
  const content = read("proposal", decodeApproval, asked.content);
  must(content.expires > now, "The time to approve this has passed. It has to be proposed again.");
  must(content.created <= now + SKEW_SECONDS, "The proposal is from the future. Check the clock of this device.");
  const [title, what] = KINDS[content.kind] ?? [`Approve: ${content.kind}?`, "See the lines below."];
  const named = typeof asked.proposer_name === "string" && asked.proposer_name;
  return {
    title,
    expires: content.expires,
    lasting: true,
    digest: await sha256(fromText(asked.content)),
    rows: [
      ["What happens", what, null],
      ...content.facts.map(({ name, value }) => [name, value, null]),
      ...(content.gallery ? [["Gallery", content.gallery, null]] : []),
      ["Reason", content.reason, null],
      ["Proposed by", content.proposer, named ? `the gate calls them “${named}”; the name is no part of what you sign` : null],
      ["Proposed", clock(content.created), null],
      ["Valid until", clock(content.expires), null],
    ],
    made: (signed) => ({ moiety: "approval-signed/1", approval: content.id, ...signed }),
  };
}

const ASKED = { "sign-in/1": signIn, "approval/1": approval };
export const STAFF_KINDS = Object.keys(ASKED);

// Checks what is asked; gives what a person needs to see. `from` is the origin of the window that asks, or null.
export async function checkStaff(asked, now, from) {
  const found = await ASKED[asked.moiety](asked, now, from);
  return { lasting: false, picture: null, hints: {}, ...found };
}

// Checks what a new passkey is made for; gives its challenge.
export async function checkJoining(asked, now, from) {
  const record = read("invitation", decodeJoining, asked.record);
  must(record.gate === from, `Another page than the one that opened this window asks for it: it says ${record.gate}.`);
  must(record.expires > now, "Making the passkey took too long. Begin again.");
  return { gate: record.gate, challenge: await sha256(fromText(asked.record)) };
}
