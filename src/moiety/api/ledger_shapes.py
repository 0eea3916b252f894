"""What the API says of the ledger."""

from datetime import datetime

from moiety.api.schemas import Given


class EntrySeen(Given):
    """One entry of the ledger; that there is a reason is shown, the reason is not.

    `cosigned`: the witness has signed a checkpoint that holds it, so `/v1/ledger/entries/{seq}/proof` proves it to
    anybody.
    """

    seq: int
    at: datetime
    kind: str
    act: str
    actor: str
    purpose: str
    gallery_id: str | None
    subject_id: str | None
    has_reason: bool
    detail: dict[str, int | str | bool]
    hash: str
    cosigned: bool


class HeadSeen(Given):
    """How far the ledger goes, and the hash of its last entry."""

    size: int
    hash: str


class CheckpointSeen(Given):
    """How the ledger stands with the witness.

    `state` is `never`, `cosigned`, `away`, `refused` (the witness knows another ledger: entries were cut off or written
    anew) or `broken`; `size` and `cosigned_at` are of the last checkpoint that the witness signed.
    """

    state: str
    size: int
    cosigned_at: datetime | None


class EntryPage(Given):
    """Entries after the number that was asked for, oldest first."""

    entries: list[EntrySeen]
    head: HeadSeen
    checkpoint: CheckpointSeen


class EntriesFound(Given):
    """Entries that were looked for, newest first; `next` is the `before` of the next page, or null."""

    entries: list[EntrySeen]
    next: int | None


class ProofSeen(Given):
    """That an entry is in the ledger, for anybody who knows the two verifier keys.

    `leaf` (base64) are the bytes that were hashed, `hashes` (base64) lead from it to the root (RFC 6962), `checkpoint`
    is the signed note with the root, and `proof` is all of it as a c2sp.org/tlog-proof. `cosigned_at` is null where the
    entry is newer than the last signature of the witness; then the ledger alone has signed.
    """

    seq: int
    leaf: str
    leaf_hash: str
    size: int
    hashes: list[str]
    checkpoint: str
    cosigned_at: datetime | None
    proof: str
    log_key: str
    witness_key: str | None


class ReasonSeen(Given):
    """Why something was done, in a person's words; null where no reason was given."""

    seq: int
    reason: str | None
