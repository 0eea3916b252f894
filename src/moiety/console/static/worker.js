// The service worker: keeps this device's key, which nobody can take out, and signs every request to the gate with it.
// A cookie that was carried to another device is of no use there.

const DATABASE = "moiety";
const STORE = "device";
const NOTHING = new Uint8Array(0);
const LINKED = /^\/(?!v1\/)|^\/v1\/(incidents\/|ledger\/report$)/;
const letters = new TextEncoder();

let known = null;

function pack(...parts) {
  const pieces = parts.map((part) => (typeof part === "string" ? letters.encode(part) : part));
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

function number(value) {
  const raw = new Uint8Array(8);
  new DataView(raw.buffer).setBigUint64(0, BigInt(value));
  return raw;
}

function toText(raw) {
  return btoa(String.fromCharCode(...raw)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// ---- what is kept: { key, open, session, offset } under one name ----

function settled(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

async function store(mode, act) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  try {
    return await settled(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

async function load() {
  known ??= (await store("readonly", (kept) => kept.get("this"))) ?? {};
  return known;
}

async function keep(device) {
  known = device;
  await store("readwrite", (kept) => kept.put(device, "this"));
}

// ---- what pages ask of it ----

const ASKED = {
  // A new key for a new session; only its public half leaves.
  async begin() {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    await keep({ key: pair.privateKey, session: "", offset: 0 });
    return { key: toText(raw) };
  },
  async opened({ session, time }) {
    await keep({ ...(await load()), session, offset: time - Date.now() });
    return {};
  },
  async left() {
    await keep({});
    return {};
  },
  async state() {
    return { session: Boolean((await load()).session) };
  },
};

self.addEventListener("message", (event) => {
  const act = Object.hasOwn(ASKED, event.data?.ask) ? ASKED[event.data.ask] : null;
  const [port] = event.ports;
  if (!act || !port || new URL(event.source.url).origin !== location.origin) return;
  event.waitUntil(
    act(event.data).then(
      (told) => port.postMessage(told),
      () => port.postMessage({ failed: true }),
    ),
  );
});

// ---- signing requests ----

async function proof(device, method, address, body) {
  const milliseconds = Date.now() + device.offset;
  const nonce = crypto.getRandomValues(new Uint8Array(16));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const signed = pack("moiety/proof/1", device.session, method, address, number(milliseconds), nonce, hash);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", device.key, signed));
  return ["1", milliseconds, toText(nonce), toText(hash), toText(signature)].join(".");
}

async function send(device, request, address, body) {
  const headers = new Headers(request.headers);
  headers.set("X-Moiety-Proof", await proof(device, request.method, address, body));
  return fetch(request.url, {
    method: request.method,
    headers,
    body: body.length ? body : undefined,
    credentials: "same-origin",
    redirect: request.redirect,
    cache: "no-store",
  });
}

async function answer(request, address) {
  const device = await load();
  if (!device.session) return fetch(request);
  const body = ["GET", "HEAD"].includes(request.method) ? NOTHING : new Uint8Array(await request.arrayBuffer());
  const reply = await send(device, request, address, body);
  const theirs = Number(reply.headers.get("X-Moiety-Time"));
  if (reply.status !== 401 || !theirs || Math.abs(theirs - Date.now() - device.offset) < 5000) return reply;
  // The clocks have gone apart: take the gate's, and ask once more.
  await keep({ ...device, offset: theirs - Date.now() });
  return send(await load(), request, address, body);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin || url.pathname.startsWith("/static/") || url.pathname === "/worker.js") return;
  // Links and forms of other sites lead here too, and a worker's request brings the cookie whoever began it. So only
  // pages, which open nothing, and the few files that pages link to are signed.
  if (request.mode === "navigate" && (request.method !== "GET" || !LINKED.test(url.pathname))) return;
  event.respondWith(answer(request, url.pathname + url.search));
});

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
