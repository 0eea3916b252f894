"""Under which names the gate's ledger and the witness sign, by the keys that stand on their cards."""

from __future__ import annotations

from moiety.tlog.notes import Algorithm, VerifierKey


def log_key(tenant: str, public: bytes) -> VerifierKey:
    """Give the verifier key of a tenant's ledger; its name is the origin of the ledger's checkpoints.

    `public` is the gate's signing key, raw. What the gate signs else begins with a length, a note with a letter.
    """
    return VerifierKey(f"moiety-ledger/{tenant}", Algorithm.ED25519, public)


def witness_key(tenant: str, public: bytes) -> VerifierKey:
    """Give the verifier key of a tenant's witness; `public` is its signing key, raw."""
    return VerifierKey(f"moiety-witness/{tenant}", Algorithm.COSIGNATURE, public)
