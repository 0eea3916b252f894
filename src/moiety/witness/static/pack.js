// The canonical bytes of warrants, statements and assertions: each part behind its length (u32, big-endian).

const HASH_BYTES = 32;
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const letters = new TextEncoder();

export class Malformed extends Error {}

function bytesOf(part) {
  if (typeof part === "string") return letters.encode(part);
  if (typeof part === "number") {
    const raw = new Uint8Array(8);
    new DataView(raw.buffer).setBigUint64(0, BigInt(part));
    return raw;
  }
  return part;
}

export function pack(...parts) {
  const pieces = parts.map(bytesOf);
  const out = new Uint8Array(pieces.reduce((sum, one) => sum + 4 + one.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const one of pieces) {
    view.setUint32(at, one.length);
    out.set(one, at + 4);
    at += 4 + one.length;
  }
  return out;
}

export function unpack(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const parts = [];
  let at = 0;
  while (at < raw.length) {
    if (at + 4 > raw.length) throw new Malformed();
    const end = at + 4 + view.getUint32(at);
    if (end > raw.length) throw new Malformed();
    parts.push(raw.subarray(at + 4, end));
    at = end;
  }
  return parts;
}

export function same(one, other) {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

const kinds = {
  text: (raw) => text.decode(raw),
  bytes: (raw) => raw,
  hash: (raw) => {
    if (raw.length !== HASH_BYTES) throw new Malformed();
    return raw;
  },
  number: (raw) => {
    if (raw.length !== 8) throw new Malformed();
    const value = new DataView(raw.buffer, raw.byteOffset).getBigUint64(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed();
    return Number(value);
  },
  facts: (raw) => unpack(raw).map((one) => decode(FACT, one)),
  box: (raw) => {
    const pieces = unpack(raw);
    if (pieces.length !== 4) throw new Malformed();
    return pieces.map(kinds.number);
  },
};

const WARRANT = {
  domain: "moiety/warrant/1",
  fields: {
    act: "text",
    tenant: "text",
    gallery: "text",
    policyVersion: "number",
    purpose: "text",
    case: "text",
    imageSha256: "hash",
    box: "box",
    statementSha256: "hash",
    target: "hash",
    issued: "number",
    expires: "number",
    nonce: "hash",
  },
};

const STATEMENT = {
  domain: "moiety/statement/1",
  fields: {
    made: "text",
    tenant: "text",
    gallery: "text",
    imageSha256: "hash",
    box: "box",
    model: "hash",
    rotation: "bytes",
    pad: "text",
    row: "bytes",
    epoch: "number",
    commitment: "bytes",
    nonce: "hash",
    issued: "number",
  },
};

const FACT = { domain: "moiety/fact/1", fields: { name: "text", value: "text" } };

const APPROVAL = {
  domain: "moiety/approval/1",
  fields: {
    tenant: "text",
    id: "text",
    kind: "text",
    proposer: "text",
    gallery: "text",
    facts: "facts",
    reason: "text",
    nonce: "bytes",
    created: "number",
    expires: "number",
  },
};

const SIGN_IN = {
  domain: "moiety/sign-in/1",
  fields: { gate: "text", tenant: "text", nonce: "hash", key: "hash", issued: "number", expires: "number" },
};

const JOINING = {
  domain: "moiety/joining/1",
  fields: { gate: "text", tenant: "text", operator: "text", nonce: "hash", expires: "number" },
};

const GRANT = { domain: "moiety/session/1", fields: { key: "hash", expires: "number" } };

// How what was read is written again, where it is more than one part.
const again = {
  box: (box) => pack(...box),
  facts: (facts) => pack(...facts.map(({ name, value }) => pack(FACT.domain, name, value))),
};

// Reads a record and writes it again: whatever is not its one canonical form is refused.
function decode(record, raw) {
  const names = Object.keys(record.fields);
  const made = {};
  try {
    const [domain, ...parts] = unpack(raw);
    if (parts.length !== names.length || text.decode(domain) !== record.domain) throw new Malformed();
    names.forEach((name, index) => {
      made[name] = kinds[record.fields[name]](parts[index]);
    });
  } catch {
    throw new Malformed();
  }
  const values = names.map((name) => (again[record.fields[name]] ?? ((value) => value))(made[name]));
  if (!same(pack(record.domain, ...values), raw)) throw new Malformed();
  return made;
}

export const decodeWarrant = (raw) => decode(WARRANT, raw);
export const decodeApproval = (raw) => decode(APPROVAL, raw);
export const decodeSignIn = (raw) => decode(SIGN_IN, raw);
export const decodeJoining = (raw) => decode(JOINING, raw);
export const decodeGrant = (raw) => decode(GRANT, raw);
export const decodeStatement = (raw) => decode(STATEMENT, raw);

export async function sha256(raw) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
}

export function hex(raw) {
  return Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(digits) {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Malformed();
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

// base64url without padding (RFC 4648, section 5).
export function toText(raw) {
  let binary = "";
  const step = 0x8000;
  for (let at = 0; at < raw.length; at += step) binary += String.fromCharCode(...raw.subarray(at, at + step));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromText(encoded) {
  if (typeof encoded !== "string" || !/^[A-Za-z0-9_-]*$/.test(encoded)) throw new Malformed();
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}
