// What people who work at a gate sign here: their sign-in, and acts that two people stand behind.

import { must, read } from "/static/check.js";
import { decodeApproval, decodeJoining, decodeSignIn, fromText, hex, sha256 } from "/static/pack.js";
import { clock, groups } from "/static/words.js";

const SKEW_SECONDS = 120;
const BEGUN_SECONDS = 300;
const SESSION_SECONDS_MAX = 12 * 3600;
const SEARCH = "case-search";

const HOLDS = {
  hold: ["Shall this be held?", "Nothing of it is erased before the review."],
  release: ["Shall this hold be released?", "It may be erased from then on, and is where its time has passed."],
};

// What a person is asked, and what comes of it. An act whose lines say which of several things is done is a function.
const KINDS = {
  invite: ["Shall this person work here?", "They get a link by which they make a passkey, and then these roles."],
  roles: ["Shall this person have these roles?", "They take the place of all roles that the person has now."],
  recovery: ["Shall this person come back?", "They get a link by which they make a new passkey; those before it end."],
  unlock: ["Shall this account be unlocked?", "An alarm locked it; it then opens again all that it opened before."],
  key: ["Shall a program have this key?", "Whoever holds the key may do all that its scopes say, without a person."],
  policy: ["Shall this gallery be used so?", "It is asked under this impact assessment until its review, by these rules."],
  threshold: ["Shall this threshold change?", "It decides how much alike two faces must be. Read the test report first."],
  "bulk-export": ["Shall all of this be exported?", "Records of many people leave this place."],
  rules: ["Shall this gallery keep people by this rule?", "It is looser: it keeps them longer than before, or keeps their photos."],
  "legal-hold": ({ act }) => (Object.hasOwn(HOLDS, act ?? "") ? HOLDS[act] : null),
  "case-search": ["Shall this face be searched for?", "Everybody in the gallery is compared with it, in this case, once."],
  lift: ["Shall what was stopped go on?", "An emergency switch was pressed. All that it stopped is answered again."],
};

// What an approval is for, in words; one that this page has no words for is not signed here.
function wordsOf(kind, lines) {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : null;
  const found = typeof known === "function" ? known(lines) : known;
  must(found, `This page does not know what “${kind}” would do with these lines.`);
  return found;
}

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
  const names = content.facts.map(({ name }) => name);
  must(new Set(names).size === names.length, "One line of the proposal is there twice.");
  const lines = Object.fromEntries(content.facts.map(({ name, value }) => [name, value]));
  const [title, what] = wordsOf(content.kind, lines);
  const named = typeof asked.proposer_name === "string" && asked.proposer_name;
  return {
    title,
    expires: content.expires,
    lasting: true,
    wanted: content.kind === SEARCH ? (lines.picture ?? "") : null,
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
// `wanted` is the SHA-256, in hex, of a picture that has to be seen before this may be signed.
export async function checkStaff(asked, now, from) {
  const found = await ASKED[asked.moiety](asked, now, from);
  return { lasting: false, wanted: null, picture: null, hints: {}, ...found };
}

// Checks what a new passkey is made for; gives its challenge.
export async function checkJoining(asked, now, from) {
  const record = read("invitation", decodeJoining, asked.record);
  must(record.gate === from, `Another page than the one that opened this window asks for it: it says ${record.gate}.`);
  must(record.expires > now, "Making the passkey took too long. Begin again.");
  return { gate: record.gate, challenge: await sha256(fromText(asked.record)) };
}
