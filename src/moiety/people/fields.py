"""What is known about a person: ciphertext at the gate under keys wrapped at B, opened by a signed reveal."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from moiety.foundation.envelopes import pack, seal, unseal
from moiety.foundation.errors import (
    AlreadyThere,
    BadInput,
    NotFound,
    RateLimited,
    UnknownSubject,
    WarrantRefused,
)
from moiety.ledger import Kind as Record
from moiety.matching import vigil
from moiety.storage import FieldClass, SubjectState
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.matching.signing import Signed
    from moiety.storage import Gallery, Transaction

T = TypeVar("T")

REFERENCE = "reference"
NAME_CHARS_MAX = 40
VALUE_CHARS_MAX = 4000
FIELDS_MAX = 40


@dataclass(frozen=True, slots=True, repr=False)
class SealedField:
    """A field ready to be written."""

    name: str
    klass: FieldClass
    wrapped_key: bytes
    ciphertext: bytes
    blind: bytes | None


# Names under which the gate itself keeps things of a person; nobody writes them as a plain field.
RESERVED = ("pin", "release_", "image_", "guardian_", "police_")


def check_given(fields: Mapping[str, str]) -> None:
    """Check what a caller gives: names and lengths, and that none is one of the gate's own.

    Raises:
        BadInput: a name or value does not fit.

    """
    check_fields(fields)
    if any(name.startswith(RESERVED) for name in fields):
        raise BadInput(f"A field's name does not begin with any of: {', '.join(RESERVED)}.")


def class_of(name: str) -> FieldClass:
    """Say which budget a field's reveal is charged to: the reference is a label, all else a field."""
    return FieldClass.LABEL if name == REFERENCE else FieldClass.FIELD


def check_fields(fields: Mapping[str, str]) -> None:
    """Check names and lengths.

    Raises:
        BadInput: a name or value does not fit.

    """
    for name, value in fields.items():
        if not name.isidentifier() or not name.isascii() or len(name) > NAME_CHARS_MAX:
            raise BadInput(f"A field's name is a word of at most {NAME_CHARS_MAX} letters, digits and underscores.")
        if not value.strip() or len(value) > VALUE_CHARS_MAX:
            raise BadInput(f"A field's value has 1 to {VALUE_CHARS_MAX} characters.")
    if len(fields) > FIELDS_MAX:
        raise BadInput(f"A subject has at most {FIELDS_MAX} fields.")


class Fields:
    """Seals, finds and reveals fields of subjects."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    # ---- exact look-up ----

    async def blind(self, gallery: Gallery, values: Sequence[bytes]) -> list[bytes]:
        """HMAC(K_B, HMAC(K_gate, value)) for each value; B sees no plaintext and meters the calls."""
        keyed = [hmac.new(self._desk.secrets.blind, value, hashlib.sha256).digest() for value in values]
        answer = await self._desk.links.b.call(Kind.BLIND, {"gallery": gallery.id}, keyed)
        return [bytes(buffer) for buffer in answer.buffers]

    @staticmethod
    def value_of(name: str, text: str) -> bytes:
        """Normalise a field's text for the blind index: NFKC, case folded, blanks joined."""
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        return pack("subject_field", name, plain)

    async def looked_up(self, gallery: Gallery, reference: str, asker: Asker) -> SubjectId | None:
        """Find as `find` for somebody who asks: charged like a label, and in the ledger also where nobody is found.

        Raises:
            RateLimited: the asker's budget of this hour is spent.

        """
        await self.charge_look(gallery, asker)
        subject = await self.find(gallery, reference)

        def note() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this leaves an entry for an answer that nobody saw.
                self._desk.write_down(
                    tx, Record.CONSULTATION, "find", gallery, asker, subject=subject, hit=int(subject is not None)
                )

        await asyncio.to_thread(note)
        return subject

    async def charge_look(self, gallery: Gallery, asker: Asker) -> None:
        """Charge somebody for one look-up: whoever tries number after number learns who is here, one by one.

        Raises:
            RateLimited: the budget of this hour is spent; another unit is told.

        """

        def charge() -> None:
            with self._desk.store.begin() as tx:
                # A crash after this has charged for an answer that nobody saw.
                vigil.spend(self._desk, tx, asker, "label", 1)

        await self.watched(gallery, asker, asyncio.to_thread(charge))

    async def find(self, gallery: Gallery, reference: str) -> SubjectId | None:
        """Find the active subject with this reference."""
        check_fields({REFERENCE: reference})
        (blind,) = await self.blind(gallery, [self.value_of(REFERENCE, reference)])
        return await asyncio.to_thread(self.by_blind, gallery, blind)

    def by_blind(self, gallery: Gallery, blind: bytes) -> SubjectId | None:
        """Find the active subject whose reference has this blind index."""
        with self._desk.store.read() as tx:
            found = tx.subjects.by_blind(gallery.id, REFERENCE, blind)
        active = [subject.id for subject in found if subject.state is SubjectState.ACTIVE]
        return active[0] if active else None

    # ---- writing ----

    async def sealed(
        self, gallery: Gallery, subject: SubjectId, fields: Mapping[str, str], blinds: Mapping[str, bytes]
    ) -> list[SealedField]:
        """Seal each value under a fresh key that B draws and wraps under the subject's own key."""
        if not fields:
            return []
        names = list(fields)
        meta = {"gallery": gallery.id, "names": [[subject, name, class_of(name).value] for name in names]}
        answer = await self._desk.links.b.call(Kind.WRAP, meta, [self._handle(gallery, subject)])
        raw = [bytes(buffer) for buffer in answer.buffers]
        return [
            SealedField(
                name,
                class_of(name),
                raw[2 * i + 1],
                seal(raw[2 * i], fields[name].encode(), self._bound(gallery, subject, name)),
                blinds.get(name),
            )
            for i, name in enumerate(names)
        ]

    @staticmethod
    def write(tx: Transaction, subject: SubjectId, sealed: Sequence[SealedField]) -> None:
        """Write sealed fields inside the caller's transaction; a crash before its commit leaves none of them."""
        for one in sealed:
            tx.fields.put(
                subject, one.name, one.klass, wrapped_key=one.wrapped_key, ciphertext=one.ciphertext, blind=one.blind
            )

    async def put(
        self,
        gallery: Gallery,
        subject: SubjectId,
        fields: Mapping[str, str],
        asker: Asker,
        *,
        act: str = "field",
        also: Callable[[Transaction], None] | None = None,
    ) -> None:
        """Write or replace fields of an active subject; `also` is done in the same transaction.

        Raises:
            UnknownSubject: the gallery has no such subject.
            AlreadyThere: the reference is another subject's.

        """
        await asyncio.to_thread(self._look_active, gallery, subject)
        blinds = {}
        if REFERENCE in fields:
            check_fields({REFERENCE: fields[REFERENCE]})
            (blinds[REFERENCE],) = await self.blind(gallery, [self.value_of(REFERENCE, fields[REFERENCE])])
            if await asyncio.to_thread(self.by_blind, gallery, blinds[REFERENCE]) not in {None, subject}:
                raise AlreadyThere("Another subject of this gallery has this reference.")
        sealed = await self.sealed(gallery, subject, fields, blinds)

        def keep() -> None:
            with self._desk.store.begin() as tx:
                # A crash before the commit leaves the old values whole.
                self._active(tx, gallery, subject)
                self.write(tx, subject, sealed)
                if also:
                    also(tx)
                self._desk.write_down(tx, Record.ALTERATION, act, gallery, asker, subject=subject, fields=len(sealed))

        await asyncio.to_thread(keep)

    def _look_active(self, gallery: Gallery, subject: SubjectId) -> None:
        with self._desk.store.read() as tx:
            self._active(tx, gallery, subject)

    @staticmethod
    def _active(tx: Transaction, gallery: Gallery, subject: SubjectId) -> None:
        """Check that the subject is there; whose erasure has begun is not."""
        if tx.subjects.get(gallery.id, subject).state is not SubjectState.ACTIVE:
            raise UnknownSubject

    async def names(self, gallery: Gallery, subject: SubjectId) -> list[str]:
        """List which fields a subject has, not what is in them."""

        def read() -> list[str]:
            with self._desk.store.read() as tx:
                tx.subjects.get(gallery.id, subject)
                return [field.name for field in tx.fields.list(subject)]

        return await asyncio.to_thread(read)

    # ---- reading ----

    async def labels(
        self, gallery: Gallery, subjects: Sequence[SubjectId], asker: Asker, *, bare: bool = False
    ) -> dict[SubjectId, str]:
        """Reveal the reference of each subject that has one; none where the policy wants more than the gate's key.

        What is shown `bare`, and not masked, is charged to a person like any field.
        """
        if not (await self._desk.terms(gallery, Act.REVEAL)).at_once:
            return {}

        def having() -> list[tuple[SubjectId, str]]:
            with self._desk.store.read() as tx:
                names = tx.fields.names_of(subjects)
                return [(one, REFERENCE) for one in subjects if REFERENCE in names.get(one, ())]

        asked = await asyncio.to_thread(having)
        revealed = await self._open(gallery, asked, asker, bare=bare) if asked else {}
        return {subject: value for (subject, _), value in revealed.items()}

    async def reveal(
        self, gallery: Gallery, asked: Sequence[tuple[SubjectId, str]], asker: Asker
    ) -> dict[tuple[SubjectId, str], str]:
        """Open fields: one signed warrant each, metered at B, written into the ledger before B is asked.

        Raises:
            UnknownSubject, NotFound: there is no such subject or field.
            SignatureNeeded: the policy wants a signature that has not come.
            WarrantRefused: B refuses, or a budget there is spent.
            RateLimited: the asker's budget of this hour is spent.
            Locked: one of them is nobody, whom no one has a reason to open.

        """
        await asyncio.to_thread(vigil.check_decoys, self._desk, gallery, asker, [subject for subject, _ in asked])
        return await self._open(gallery, asked, asker, bare=True)

    async def _open(
        self, gallery: Gallery, asked: Sequence[tuple[SubjectId, str]], asker: Asker, *, bare: bool
    ) -> dict[tuple[SubjectId, str], str]:
        """Do as `reveal`, in lists too, where decoys stand among people."""
        terms = await self._desk.terms(gallery, Act.REVEAL)
        found = await asyncio.to_thread(self._wanted, gallery, asked)
        aims = [self._aim(gallery, subject, name, wrapped) for (subject, name), (wrapped, _) in found.items()]
        signed = await self._desk.for_targets(terms, asker, aims)
        await self.watched(
            gallery, asker, asyncio.to_thread(self._note_reveal, gallery, list(found), asker, signed, bare=bare)
        )
        buffers: list[bytes] = []
        names = []
        for warrant, ((subject, name), (wrapped, _)) in zip(signed.warrants, found.items(), strict=True):
            buffers += [warrant, self._handle(gallery, subject), wrapped]
            names.append([subject, name, class_of(name).value])
        meta = {"gallery": gallery.id, "names": names, "by": vigil.by_of(self._desk, asker, bare=bare)}
        answer = await self.watched(gallery, asker, self._desk.links.b.call(Kind.REVEAL, meta, buffers))
        return {
            (subject, name): unseal(bytes(key), sealed, self._bound(gallery, subject, name)).decode()
            for ((subject, name), (_, sealed)), key in zip(found.items(), answer.buffers, strict=True)
        }

    async def watched(self, gallery: Gallery, asker: Asker, work: Awaitable[T]) -> T:
        """Have another unit told where a budget is spent."""
        try:
            return await work
        except (RateLimited, WarrantRefused):
            await asyncio.to_thread(vigil.over_budget, self._desk, gallery, asker)
            raise

    def _wanted(
        self, gallery: Gallery, asked: Sequence[tuple[SubjectId, str]]
    ) -> dict[tuple[SubjectId, str], tuple[bytes, bytes]]:
        """Read wrapped keys and ciphertexts, all by two statements."""
        subjects, names = {subject for subject, _ in asked}, {name for _, name in asked}
        with self._desk.store.read() as tx:
            if tx.subjects.here_among(gallery.id, subjects) != subjects:
                raise UnknownSubject
            fields = tx.fields.of_several(subjects, names)
        if not fields.keys() >= set(asked):
            raise NotFound("This subject has no such field.")
        return {one: (fields[one].wrapped_key, fields[one].ciphertext) for one in asked}

    def _note_reveal(
        self, gallery: Gallery, asked: Sequence[tuple[SubjectId, str]], asker: Asker, signed: Signed, *, bare: bool
    ) -> None:
        """Charge whoever is going to read, and write down who reads what, and why."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves entries for fields that were never shown.
            vigil.spend(self._desk, tx, asker, "field" if bare else "label", len(asked))
            for subject, _ in asked:
                self._desk.write_down(
                    tx, Record.CONSULTATION, "reveal", gallery, asker, subject=subject, signers=signed.signers, fields=1
                )

    def _aim(self, gallery: Gallery, subject: SubjectId, name: str, wrapped: bytes) -> tuple[bytes, dict[str, str]]:
        """Give the target of a reveal, and what it is the digest of."""
        target = targets.of_field(self._handle(gallery, subject), subject, name, wrapped)
        return target, {"subject": subject, "field": name, "wrapped": wrapped.hex()}

    def _handle(self, gallery: Gallery, subject: SubjectId) -> bytes:
        """Name the personal key at B."""
        return targets.person_handle(self._desk.tenant, gallery.id, subject)

    def _bound(self, gallery: Gallery, subject: SubjectId, name: str) -> bytes:
        """Bind a ciphertext to its table, row and column."""
        return pack("moiety/field/1", self._desk.tenant, gallery.id, "subject_field", subject, name)
