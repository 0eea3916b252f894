// A warrant in plain words. Whatever stands here was read from the warrant itself, or checked against it.

import { hex } from "/static/pack.js";

const ACTS = {
  search: { title: "Look for this face?", what: "The framed face is compared with everyone in the gallery." },
  verify: { title: "Is it really this person?", what: "The framed face is compared with one enrolled person." },
  enrol: { title: "Enrol this face?", what: "The framed face is added to the gallery, so that it can be found." },
  erase: { title: "Erase this person?", what: "Their half at each vault is destroyed. This cannot be undone." },
  reveal: { title: "Open this field?", what: "One sealed field of one person is opened and shown." },
};

export function title({ warrant }) {
  return warrant ? ACTS[warrant.act].title : "Open a session?";
}

function places(numbers) {
  const shown = numbers.slice(0, 6).map((number) => number + 1);
  return shown.join(", ") + (numbers.length > shown.length ? ", …" : "");
}

function about({ warrant, about: aim }) {
  if (warrant.act === "verify") return [["Compared with", `block ${places(aim.blocks)} of 64 people; the vaults do not learn which of them`]];
  if (warrant.act === "reveal") return [["Person", aim.subject], ["Field", aim.field]];
  if (warrant.act !== "erase") return [];
  const photos = `${aim.rows.length} ${aim.rows.length === 1 ? "photo" : "photos"}`;
  return [["Erased", aim.subject ? `the person ${aim.subject}, ${photos} and all fields` : photos]];
}

export function clock(seconds) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(seconds * 1000));
}

// Groups of four, as they are read out to one another.
export function groups(digits) {
  return digits.match(/.{1,4}/g).join(" ");
}

function session({ key, expires }) {
  return [
    ["What happens", "Whoever holds the key below may open sealed fields in your name, as often as your budget allows.", null],
    ["Key", groups(hex(key)), "compare it with what your program shows"],
    ["Valid until", clock(expires), null],
  ];
}

// Rows of [name, value, plain hint or null]; a hint is the gate's word and no part of what is signed.
export function rows(found) {
  const { warrant, hints, grant } = found;
  if (grant) return session(grant);
  const called = typeof hints.gallery_name === "string" ? `the gate calls it “${hints.gallery_name}”; the name is no part of what you sign` : null;
  return [
    ["What happens", ACTS[warrant.act].what, null],
    ...about(found).map(([name, value]) => [name, value, null]),
    ["Purpose", warrant.purpose, null],
    ["Case or door", warrant.case || "none given", null],
    ["Gallery", warrant.gallery, called],
    ["Asked", clock(warrant.issued), null],
    ["Valid until", clock(warrant.expires), null],
  ];
}

export function left(seconds) {
  if (seconds <= 0) return "The time to sign has passed.";
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${seconds % 60} s left to sign.` : `${seconds} s left to sign.`;
}
