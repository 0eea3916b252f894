// Passkeys: made and used here, on the witness's own origin. The private key never leaves the device.

import { pack, toText } from "/static/pack.js";

const TIMEOUT_MS = 180000;
// Ed25519, ES256, RS256: what the vaults verify.
const ALGORITHMS = [-8, -7, -257];
const TROUBLE = {
  NotAllowedError: "No passkey was used: it was cancelled, took too long, or this device has none for this page.",
  InvalidStateError: "This device has a passkey of that name already.",
  SecurityError: "Passkeys work only on the page's own address.",
  NotSupportedError: "This device cannot make a passkey that the vaults accept.",
};

export class NoPasskey extends Error {}

async function ask(call) {
  if (!window.PublicKeyCredential) {
    throw new NoPasskey("This browser has no passkeys here. It needs https, or http://localhost on this machine.");
  }
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new NoPasskey(TROUBLE[error.name] ?? "The passkey could not be used.");
  }
}

// Signs 32 bytes with one of these passkeys, or with any; gives its id, and authenticator data, client data, signature.
export async function assertion(digest, rpId, known = []) {
  const allowCredentials = known.map((id) => ({ type: "public-key", id }));
  const made = await ask(() =>
    navigator.credentials.get({
      publicKey: { challenge: digest, rpId, userVerification: "required", allowCredentials, timeout: TIMEOUT_MS },
    }),
  );
  const { authenticatorData, clientDataJSON, signature } = made.response;
  const parts = [authenticatorData, clientDataJSON, signature].map((part) => new Uint8Array(part));
  return { id: new Uint8Array(made.rawId), parts };
}

// Signs 32 bytes; gives the credential's id and the packed assertion, both as text.
export async function sign(digest, rpId) {
  const { id, parts } = await assertion(digest, rpId);
  return { signer: toText(id), value: toText(pack("moiety/assertion/1", ...parts)) };
}

// Makes a passkey for a person; gives its id, and authenticator data and client data of its registration.
export async function create(name, rpId, challenge = crypto.getRandomValues(new Uint8Array(32)), known = []) {
  const made = await ask(() =>
    navigator.credentials.create({
      publicKey: {
        challenge,
        excludeCredentials: known.map((id) => ({ type: "public-key", id })),
        rp: { id: rpId, name: "moiety" },
        user: { id: crypto.getRandomValues(new Uint8Array(16)), name, displayName: name },
        pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        attestation: "none",
        timeout: TIMEOUT_MS,
      },
    }),
  );
  return {
    id: new Uint8Array(made.rawId),
    data: new Uint8Array(made.response.getAuthenticatorData()),
    client: new Uint8Array(made.response.clientDataJSON),
  };
}
