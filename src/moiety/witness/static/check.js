// What must agree before anybody may sign: the picture, the eye's statement, what the warrant aims at, and the time.

import { Malformed, decodeGrant, decodeStatement, decodeWarrant, fromHex, fromText, pack, same, sha256 } from "/static/pack.js";

const SKEW_SECONDS = 120;
const LIFE_SECONDS_MAX = 600;
const SESSION_SECONDS_MAX = 12 * 3600;
const NOTHING = new Uint8Array(32);
const MADE = { search: "probe", verify: "probe", enrol: "template" };

// A reason not to sign, in words for people.
export class Refused extends Error {}

export function must(holds, words) {
  if (!holds) throw new Refused(words);
}

export function read(what, decoder, encoded) {
  try {
    return decoder(fromText(encoded));
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof DOMException)) throw error;
    throw new Refused(`The ${what} is damaged or was altered on its way: it is not in its one valid form.`);
  }
}

function inForce(warrant, now) {
  must(warrant.expires - warrant.issued <= LIFE_SECONDS_MAX && warrant.issued <= warrant.expires, "The warrant would live for longer than vaults allow.");
  must(now <= warrant.expires, "The time to sign this has passed. Ask the question again.");
  must(warrant.issued <= now + SKEW_SECONDS, "The warrant is from the future. Check the clock of this device.");
}

// The hash of what the warrant is about, beside the picture; each act has its own form.
const AIMS = {
  search: () => NOTHING,
  enrol: () => NOTHING,
  verify: (_, about) => sha256(pack("moiety/target/blocks/1", ...about.blocks)),
  async erase(warrant, about) {
    const person = about.subject ? await handle(warrant, about.subject) : new Uint8Array(0);
    return sha256(pack("moiety/target/erase/1", person, ...about.rows.map(fromHex)));
  },
  async reveal(warrant, about) {
    const person = await handle(warrant, about.subject);
    return sha256(pack("moiety/target/field/1", person, about.subject, about.field, fromHex(about.wrapped)));
  },
};

async function handle(warrant, subject) {
  return (await sha256(pack("moiety/person/1", warrant.tenant, warrant.gallery, subject))).subarray(0, 16);
}

async function aims(warrant, about) {
  const aim = AIMS[warrant.act];
  must(aim, "This page signs questions about people. Policies are signed by keepers, on the vaults' own machines.");
  let target;
  try {
    target = await aim(warrant, about);
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof TypeError)) throw error;
    throw new Refused("It is not said what the warrant is for.");
  }
  must(same(target, warrant.target), "What you are told is not what the warrant says: it is for something else.");
}

async function pictured(warrant, encodedStatement, picture) {
  must(picture, "The picture is missing.");
  const statement = read("eye's statement", decodeStatement, encodedStatement);
  const digest = await sha256(fromText(encodedStatement));
  must(same(digest, warrant.statementSha256), "The warrant belongs to another statement of the eye than this one.");
  const hash = await sha256(picture);
  must(
    same(hash, warrant.imageSha256) && same(hash, statement.imageSha256),
    "This is not the picture that the warrant is for.",
  );
  const agree = ["tenant", "gallery"].every((name) => warrant[name] === statement[name]);
  must(agree && same(warrant.nonce, statement.nonce), "The warrant and the eye's statement are about different questions.");
  must(warrant.box.join() === statement.box.join(), "The warrant is about another face than the one the eye measured.");
  must(statement.made === MADE[warrant.act], "The eye measured this face for something else than the warrant says.");
  return statement;
}

// A session: a key that may open fields in a person's name for some hours.
async function session(asked, now) {
  const grant = read("session", decodeGrant, asked.grant);
  must(grant.expires > now, "This session would be over already.");
  must(grant.expires <= now + SESSION_SECONDS_MAX, "This session would last for more than twelve hours.");
  return { id: "", grant, encoded: asked.grant, expires: grant.expires, picture: null, digest: await sha256(fromText(asked.grant)), hints: {} };
}

// Checks one question; gives what a person needs to see. Throws Refused with the reason not to sign.
export async function check(question, now) {
  if (question?.moiety === "session/1") return session(question, now);
  must(question?.moiety === "question/1" && Array.isArray(question.papers), "This is not a question to be signed.");
  must(question.papers.length === 1, "This question has several warrants. Ask for one field at a time.");
  const [paper] = question.papers;
  const warrant = read("warrant", decodeWarrant, paper.warrant);
  const picture = question.picture ? read("picture", (raw) => raw, question.picture) : null;
  inForce(warrant, now);
  await aims(warrant, paper.about ?? {});
  let statement = null;
  if (warrant.act in MADE) {
    statement = await pictured(warrant, paper.statement, picture);
  } else {
    must(same(warrant.imageSha256, NOTHING) && !picture, "A picture came with an act that has none.");
  }
  const digest = await sha256(fromText(paper.warrant));
  const { expires } = warrant;
  const shown = statement ? picture : null;
  return { id: String(question.id), warrant, expires, picture: shown, about: paper.about ?? {}, digest, hints: question };
}
