"""What the gate knows and signs with: its tables, ledger, lines, secrets; and how it writes a warrant."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from moiety.foundation.envelopes import pack, seal, unseal
from moiety.foundation.errors import Halted, UnknownGallery, Unverified, WarrantRefused
from moiety.foundation.ids import GalleryId, RowId
from moiety.matching import vigil
from moiety.matching.alarms import Alarms
from moiety.matching.deployed import must_not_be_lowered
from moiety.matching.signing import BY_ACT, QUICK_SECONDS, Paper, Papers, Signed, Signing, Terms, Unsigned, named
from moiety.storage import GalleryState, Switch
from moiety.vault.policy import EPOCH_FIRST, Needs
from moiety.vault.turns import Turns
from moiety.warrants.statement import Statement, face_nonce
from moiety.warrants.warrant import NOTHING, Act, Warrant, sign_as_service, signed_with, without_picture
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.foundation.clock import Clock
    from moiety.foundation.ids import SubjectId
    from moiety.ledger import Kind as Record
    from moiety.ledger import Ledger
    from moiety.matching.links import Links
    from moiety.storage import Gallery, Store, Transaction
    from moiety.tlog.notes import VerifierKey
    from moiety.warrants.warrant import SignedWarrant

MARK_BYTES = 16
NOT_TAKEN = "The vaults do not take this signature; the question still waits for somebody's whom they know."


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The gate's own keys: it signs as a service, binds rows to subjects, and keys values before B keys them again."""

    service: Ed25519PrivateKey
    binding: bytes
    blind: bytes


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and why; `actor` is the id of a key or `owner`, `case` a case or door, `reason` a person's words.

    `signing` is how the signatures come that the gallery's policy wants, `session` a mark of the asker's session.
    """

    actor: str
    reason: str
    case: str = ""
    signing: Signing = field(default_factory=Unsigned)
    session: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The epoch that is in force, and the rows that are in no search because a half of theirs was damaged."""

    epoch: int
    excluded: frozenset[RowId]


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """Everything that matching/ and people/ work with."""

    tenant: str
    store: Store
    ledger: Ledger
    links: Links
    secrets: Secrets
    clock: Clock
    turns: Turns = field(default_factory=Turns)
    alarms: Alarms = field(default_factory=Alarms)
    # By what the witness's signature under the ledger is known; None where the witness is not known here.
    witness: VerifierKey | None = None
    # How each gallery stood at vault A when it was last asked.
    standings: dict[GalleryId, Standing] = field(default_factory=dict)

    def standing(self, gallery: Gallery) -> Standing:
        """Say how a gallery stood at vault A when it was last asked; `terms` asks."""
        return self.standings.get(gallery.id, Standing(EPOCH_FIRST, frozenset()))

    def gallery(self, name_or_id: str) -> Gallery:
        """Find an open gallery by its name or id.

        Raises:
            UnknownGallery: there is none.

        """
        with self.store.read() as tx:
            by_id = name_or_id.startswith("gal_")
            gallery = tx.galleries.get(GalleryId(name_or_id)) if by_id else tx.galleries.by_name(name_or_id)
        if gallery.state is not GalleryState.OPEN:
            raise UnknownGallery
        return gallery

    def must_match(self) -> None:
        """Let a question pass; it is asked of the database, so that no restart forgets.

        Raises:
            Halted: the stop button is pressed.

        """
        with self.store.read() as tx:
            if tx.emergencies.on(Switch.STOP):
                raise Halted

    async def terms(self, gallery: Gallery, act: Act) -> Terms:
        """Ask vault A which policy is in force, and whose signature an act needs by it.

        Raises:
            PartDown: the vault is away.
            NotApproved: a threshold was lowered there that nobody has taken here.

        """
        state = (await self.links.a.call(Kind.STATE, {"gallery": gallery.id})).meta
        excluded = frozenset(RowId(bytes.fromhex(row)) for row in state["excluded"])
        self.standings[gallery.id] = Standing(int(state["epoch"]), excluded)
        policy = state["policy"]
        now = replace(gallery, policy_version=int(policy["version"]), thresholds=tuple(policy["thresholds"]))
        if act in {Act.SEARCH, Act.VERIFY} and now.thresholds != gallery.thresholds:
            await asyncio.to_thread(self._take_raised, now)
        return Terms(now, act, Needs(policy[BY_ACT[act]]))

    def _take_raised(self, gallery: Gallery) -> None:
        """Take thresholds that keepers have raised; raises as `terms`."""
        with self.store.begin() as tx:
            # A crash before the commit leaves those of before; they are taken with the next question.
            must_not_be_lowered(tx.galleries.get(gallery.id), gallery.thresholds)
            tx.galleries.set_thresholds(gallery.id, gallery.thresholds)

    async def sign(self, papers: Papers, asker: Asker) -> Signed:
        """Have warrants signed by whom the policy names: by the gate itself at once, by others when they have signed.

        Raises:
            SignatureNeeded: a signature has not come, or not in time.

        """
        warrants = [paper.warrant for paper in papers.papers]
        if papers.terms.at_once:
            return Signed([sign_as_service(one, self.secrets.service).encode() for one in warrants], {})
        given = await asker.signing.sign(papers)
        made = [signed_with(one, *signatures).encode() for one, signatures in zip(warrants, given, strict=True)]
        return Signed(made, named(given))

    async def must_take(self, signed: SignedWarrant) -> None:
        """Ask both vaults whether they would take these signatures; neither spends anything by it.

        Raises:
            WarrantRefused: one would not, and does not say why.
            PartDown: one is away.

        """
        raw = [signed.encode()]
        try:
            await self.links.both(Kind.SIGNATURE, {}, raw, raw)
        except WarrantRefused:
            raise WarrantRefused(NOT_TAKEN) from None

    async def for_faces(
        self,
        terms: Terms,
        statements: Sequence[bytes],
        asker: Asker,
        picture: bytes,
        nonce: bytes,
        target: bytes = NOTHING,
        about: Mapping[str, Any] | None = None,
    ) -> Signed:
        """Have warrants signed for faces of a picture, by the eye's statements; `about` says what the target is of."""
        papers = [
            Paper(self._of_face(terms.act, terms.gallery, one, asker, target, terms.seconds), one, about or {})
            for one in statements
        ]
        return await self.sign(Papers(terms, tuple(papers), picture, nonce), asker)

    async def for_targets(
        self, terms: Terms, asker: Asker, targets: Sequence[tuple[bytes, Mapping[str, Any]]]
    ) -> Signed:
        """Have warrants signed for acts without a picture, by their targets and what those are of."""
        nonce = os.urandom(32)
        gallery = terms.gallery
        policy = (self.tenant, str(gallery.id), gallery.policy_version, gallery.purpose)
        now, papers = self.clock.now(), []
        for number, (target, about) in enumerate(targets):
            fresh = without_picture(terms.act, policy, asker.case, target, now, face_nonce(nonce, number))
            papers.append(Paper(replace(fresh, expires=fresh.issued + terms.seconds), b"", about))
        return await self.sign(Papers(terms, tuple(papers), b"", nonce), asker)

    def warrant_for(self, act: Act, gallery: Gallery, statement: bytes, asker: Asker, target: bytes = NOTHING) -> bytes:
        """Sign a warrant for the face of one of the eye's statements with the gate's own key."""
        warrant = self._of_face(act, gallery, statement, asker, target, QUICK_SECONDS)
        return sign_as_service(warrant, self.secrets.service).encode()

    def _of_face(
        self, act: Act, gallery: Gallery, statement: bytes, asker: Asker, target: bytes, seconds: int
    ) -> Warrant:
        """Write a warrant for the face of one of the eye's statements."""
        seen = Statement.decode(statement)
        now = int(self.clock.now())
        return Warrant(
            act=act,
            tenant=self.tenant,
            gallery=gallery.id,
            policy_version=gallery.policy_version,
            purpose=gallery.purpose,
            case=asker.case,
            image_sha256=seen.image_sha256,
            box=seen.box,
            statement_sha256=seen.digest(),
            target=target,
            issued=now,
            expires=now + seconds,
            nonce=seen.nonce,
        )

    def plain_warrant(self, act: Act, gallery: Gallery, case: str, target: bytes) -> bytes:
        """Sign a warrant for an act without a picture with the gate's own key."""
        policy = (self.tenant, str(gallery.id), gallery.policy_version, gallery.purpose)
        warrant = without_picture(act, policy, case, target, self.clock.now(), os.urandom(32))
        return sign_as_service(warrant, self.secrets.service).encode()

    def write_down(
        self,
        tx: Transaction,
        kind: Record,
        act: str,
        gallery: Gallery,
        asker: Asker,
        *,
        subject: SubjectId | None = None,
        with_reason: bool = True,
        signers: Mapping[str, str] | None = None,
        **detail: int | str,
    ) -> None:
        """Append an act in a gallery to the ledger, inside the caller's transaction: both are one durable write."""
        self.ledger.append(
            tx,
            kind,
            act,
            actor=asker.actor,
            purpose=gallery.purpose,
            gallery=gallery.id,
            subject=subject,
            reason=asker.reason if with_reason else None,
            **(detail | dict(signers or {})),
        )
        if subject is not None and act in vigil.SEARCHES:
            vigil.searched(self, tx, gallery, asker, subject)

    def mark_of(self, picture: bytes) -> str:
        """Give a keyed mark of a picture for the ledger: who has the picture and the key finds its entries by it."""
        digest = hashlib.sha256(picture).digest()
        return hmac.digest(self.secrets.blind, pack("moiety/input-mark/1", digest), "sha256")[:MARK_BYTES].hex()

    def bind_row(self, gallery: Gallery, row_id: RowId, subject: SubjectId) -> bytes:
        """Bind a row id to its subject, so that an altered table does not show somebody else."""
        return seal(self.secrets.binding, subject.encode(), pack("moiety/binding/1", gallery.id, row_id))

    def check_binding(self, gallery: Gallery, row_id: RowId, subject: SubjectId, binding: bytes) -> None:
        """Check what `bind_row` made.

        Raises:
            Unverified: the row was bound to another subject, gallery or row.

        """
        bound = unseal(self.secrets.binding, binding, pack("moiety/binding/1", gallery.id, row_id))
        if bound != subject.encode():
            raise Unverified("A row in the gate's database points to another subject than it was enrolled for.")
