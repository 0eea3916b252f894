"""The people who work here: invited by two, known by passkeys alone, named in sealed fields, by ids everywhere else."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from moiety.access import spares
from moiety.access.callers import Caller
from moiety.access.device_proofs import to_text
from moiety.access.keys import KILLED
from moiety.access.permissions import Permission
from moiety.access.roles import parse_grants, scopes_of
from moiety.foundation.envelopes import pack
from moiety.foundation.errors import AlreadyThere, BadInput, Forbidden, Locked, NotFound, Unauthenticated, Unverified
from moiety.foundation.ids import KeyId, OperatorId, new_operator_id
from moiety.ledger import Kind as Record
from moiety.storage import OperatorState, Switch
from moiety.warrants.passkeys import Passkey, check_assertion, registered
from moiety.warrants.proofs import Assertion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moiety.access.papers import Joining
    from moiety.access.roles import Grant
    from moiety.access.sealing import Sealing
    from moiety.ledger import Ledger
    from moiety.storage import Operator, OperatorPasskey, Store, Transaction
    from moiety.storage.guard_records import Lock

PURPOSE: Final = "who works here"
NAME_CHARS_MAX: Final = 100
WAY_SECONDS: Final = 24 * 3600
PASSKEYS_MAX: Final = 8
FIRST_ROLES: Final = ("administrator",)
NO_WAY: Final = "This link is spent or too old; ask for a new one."


@dataclass(frozen=True, slots=True)
class SigningPage:
    """The witness's page, on which people make passkeys and sign; both empty where the gate does not know it."""

    origin: str
    rp_id: str

    @classmethod
    def at(cls, sign_at: str) -> SigningPage:
        """Take origin and host of the page's address."""
        parts = urlsplit(sign_at)
        return cls(f"{parts.scheme}://{parts.netloc}" if sign_at else "", parts.hostname or "")


@dataclass(frozen=True, slots=True, repr=False)
class Registration:
    """What a browser gives of a new passkey."""

    authenticator_data: bytes
    client_data: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """What a browser gives of a passkey's signature: its credential id, and the packed assertion."""

    credential: bytes
    value: bytes


def check_name(name: str) -> str:
    """Return a person's name, blanks joined.

    Raises:
        BadInput: it is empty, too long, or no single line.

    """
    plain = " ".join(name.split())
    if not 1 <= len(plain) <= NAME_CHARS_MAX or not plain.isprintable():
        raise BadInput(f"A name is one line of 1 to {NAME_CHARS_MAX} characters.")
    return plain


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


class Operators:
    """The operators of one gate. Thread-safe; every method that writes is one transaction with its ledger entry."""

    def __init__(self, store: Store, ledger: Ledger, sealing: Sealing, page: SigningPage) -> None:
        """Keep them in `store`; passkeys are those that people make on `page`."""
        self._store = store
        self._ledger = ledger
        self.sealing = sealing
        self.page = page
        self._challenges = os.urandom(32)
        with store.read() as tx:
            self._joined = tx.operators.any_joined()

    def challenge(self, operator_id: str, expires: int) -> bytes:
        """Give the 32 bytes that make a new passkey's challenge this gate's own, until `expires`."""
        return hmac.digest(self._challenges, pack(operator_id, expires), "sha256")

    @property
    def anybody(self) -> bool:
        """Whether anybody works here, or did; from then on the owner of the folder looks for nobody."""
        return self._joined

    def note(self, tx: Transaction, act: str, actor: str, operator_id: str, reason: str | None = None) -> None:
        """Write into the ledger what was done about an operator."""
        self._ledger.append(
            tx, Record.ALTERATION, act, actor=actor, purpose=PURPOSE, reason=reason, operator=operator_id
        )

    # ---- coming in ----

    def first(self) -> tuple[OperatorId, str]:
        """Make the first operator, an administrator, and the secret of a link that works once, for a day.

        Raises:
            AlreadyThere: somebody works here already; they invite whoever comes next.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves nobody invited; after it, a link that nobody saw: call again for another.
            if tx.operators.count_active():
                raise AlreadyThere("Somebody works here already; whoever comes next is invited by two people.")
            waiting = [one for one in tx.operators.list() if one.state is OperatorState.INVITED]
            operator_id = waiting[0].id if waiting else tx.operators.add(new_operator_id(), FIRST_ROLES, None).id
            self.note(tx, "operator-first", "owner", operator_id)
            return operator_id, self.way_for(tx, operator_id)

    def way_for(self, tx: Transaction, operator_id: OperatorId) -> str:
        """Make the secret of a link by which an operator makes a passkey; only its hash is kept.

        Raises:
            Forbidden: the kill switch is pressed.

        """
        if tx.emergencies.on(Switch.KILL):
            raise Forbidden(KILLED)
        code = secrets.token_urlsafe(32)
        tx.operators.add_way(operator_id, _hash(code), self._store.clock.now() + WAY_SECONDS)
        return code

    def waiting(self, code: str) -> Operator:
        """Say whose link this is.

        Raises:
            Unauthenticated: it is spent, too old, or none.

        """
        with self._store.read() as tx:
            operator_id = tx.operators.way(_hash(code))
            if operator_id is None:
                raise Unauthenticated(NO_WAY)
            return tx.operators.get(operator_id)

    def join(self, code: str, paper: Joining, made: Registration, name: str) -> OperatorId:
        """Spend a link for a passkey; a `name` is taken only where whoever invited gave none.

        Where the link is one of recovery, the passkeys that were before go, and whom the organisation named.

        Raises:
            Unauthenticated: the link is spent, too old, or another's.
            BadInput: the passkey or the name is not as it must be.

        """
        passkey = self._made(paper, made)
        with self._store.begin() as tx:
            # A crash before the commit leaves the link unspent and no passkey.
            operator_id = tx.operators.way(_hash(code))
            if operator_id is None or operator_id != paper.operator:
                raise Unauthenticated(NO_WAY)
            if tx.operators.get(operator_id).name_sealed is None:
                tx.operators.set_name(operator_id, self.sealing.seal_name(operator_id, check_name(name)))
            tx.operators.spend_way(_hash(code))
            tx.operators.drop_passkeys(operator_id)
            tx.operators.drop_subject(operator_id)
            tx.operators.add_passkey(operator_id, passkey.credential, passkey.key, 0)
            self.note(tx, "operator-join", operator_id, operator_id)
        self._joined = True
        return operator_id

    def _made(self, paper: Joining, made: Registration) -> Passkey:
        """Check a registration: our page, our challenge, with user verification.

        Raises:
            BadInput: it is not.

        """
        try:
            client = json.loads(made.client_data)
            told = (client["type"], client["challenge"], client["origin"], bool(client.get("crossOrigin")))
            passkey = registered(made.authenticator_data, self.page.rp_id)
        except (Unverified, ValueError, KeyError, TypeError, AttributeError):
            raise BadInput("This passkey was not made on the signing page, or without PIN, finger or face.") from None
        if told != ("webauthn.create", to_text(paper.digest()), self.page.origin, False):
            raise BadInput("This passkey was made for something else.")
        return passkey

    # ---- passkeys ----

    def signed_by(self, signed: Signed, digest: bytes) -> Operator:
        """Say who signed a digest on the signing page, and keep the counter.

        Raises:
            Forbidden: it is nobody's signature over this who works here.
            Locked: an alarm locked the account.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves the counter, and the signature may be handed in again.
            return self.signer(tx, signed, digest)

    def signer(self, tx: Transaction, signed: Signed, digest: bytes) -> Operator:
        """Do as `signed_by`, as a part of another act's transaction; raises as that."""
        wrong = Forbidden("This is not a signature of anybody who works here.")
        known = tx.operators.passkey(signed.credential)
        if known is None:
            raise wrong
        try:
            assertion = Assertion.decode(signed.value)
            passkey = Passkey(known.credential, known.public_key)
            counter = check_assertion(assertion, passkey, digest, self.page.rp_id, self.page.origin)
        except Unverified:
            raise wrong from None
        # W3C WebAuthn, section 7.2, step 22: a counter that does not rise says that the passkey was copied.
        if counter <= known.counter and (counter or known.counter):
            raise wrong
        operator = tx.operators.get(known.operator_id)
        if operator.state is not OperatorState.ACTIVE:
            raise wrong
        if tx.alerts.locked(operator.id):
            raise Locked
        tx.operators.count_up(known.credential, counter)
        return operator

    def add_passkey(self, operator_id: OperatorId, paper: Joining, made: Registration) -> int:
        """Add a further passkey of somebody who is signed in; gives how many there are now.

        Raises:
            BadInput: it is not as it must be, or there are eight.

        """
        passkey = self._made(paper, made)
        with self._store.begin() as tx:
            # A crash before the commit leaves a passkey on the device that opens nothing here.
            if paper.operator != operator_id or len(tx.operators.passkeys(operator_id)) >= PASSKEYS_MAX:
                raise BadInput(f"A person has at most {PASSKEYS_MAX} passkeys, each made for that person.")
            tx.operators.add_passkey(operator_id, passkey.credential, passkey.key, 0)
            self.note(tx, "passkey-add", operator_id, operator_id)
            return len(tx.operators.passkeys(operator_id))

    def drop_passkey(self, operator_id: OperatorId, credential: bytes) -> None:
        """Remove one passkey.

        Raises:
            BadInput: it is the last one.
            NotFound: there is no such passkey.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves the passkey in force.
            known = [one.credential for one in tx.operators.passkeys(operator_id)]
            if credential not in known:
                raise NotFound("There is no such passkey.")
            if len(known) == 1:
                raise BadInput("The last passkey stays; two colleagues can make a new way in.")
            tx.operators.drop_passkeys(operator_id, credential)
            self.note(tx, "passkey-drop", operator_id, operator_id)

    def passkeys(self, operator_id: OperatorId) -> tuple[OperatorPasskey, ...]:
        """Give an operator's passkeys, oldest first."""
        with self._store.read() as tx:
            return tx.operators.passkeys(operator_id)

    def recognise(self, operator_id: OperatorId, mark: bytes) -> None:
        """Hold who signed against whom their organisation named; the first time binds the two, for good.

        Raises:
            Forbidden: the passkey is one person's, and the organisation named another.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves the two unbound; the next sign-in binds them.
            known = tx.operators.subject_of(operator_id)
            if known is None and tx.operators.of_subject(mark) is None:
                tx.operators.add_subject(mark, operator_id)
                self.note(tx, "operator-bind", operator_id, operator_id)
            elif known != mark:
                raise Forbidden("Your organisation says that you are somebody else than whose passkey this is.")

    # ---- who is here ----

    def get(self, operator_id: OperatorId) -> Operator:
        """Give one, in any state.

        Raises:
            NotFound: there is no such operator.

        """
        with self._store.read() as tx:
            return tx.operators.get(operator_id)

    def list(self) -> tuple[Operator, ...]:
        """Give all, oldest first."""
        with self._store.read() as tx:
            return tx.operators.list()

    def name_of(self, operator_id: str) -> str:
        """Open somebody's name; empty for who is no operator or has none."""
        with self._store.read() as tx:
            try:
                return self.sealing.name_of(tx.operators.get(OperatorId(operator_id)))
            except NotFound:
                return ""

    def names_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Open the name of each, once."""
        return {one: self.name_of(one) for one in set(ids)}

    def caller(self, operator_id: OperatorId) -> Caller:
        """Say what somebody who is signed in may, as of now.

        Raises:
            Unauthenticated: they do not work here any more.
            Locked: an alarm locked the account.

        """
        with self._store.read() as tx:
            operator, locked = tx.operators.get(operator_id), tx.alerts.locked(operator_id)
            spare_missing = spares.missing(tx.operators.passkeys(operator_id), self._store.clock.now())
        if operator.state is not OperatorState.ACTIVE:
            raise Unauthenticated("The session has ended; sign in again.")
        if locked:
            raise Locked
        scopes = scopes_of(grants_of(operator))
        why_not = "Your roles do not allow this ({})."
        return Caller(KeyId(operator.id), "operator", scopes, why_not, spare_missing=spare_missing)

    def kills(self) -> int:
        """Count how often the kill switch was ever pressed."""
        with self._store.read() as tx:
            return tx.emergencies.kills()

    def may_enter(self, operator: Operator) -> None:
        """Let somebody open a session.

        Raises:
            Forbidden: the kill switch is pressed, and this is nobody who could lift it.

        """
        with self._store.read() as tx:
            killed = tx.emergencies.on(Switch.KILL)
        if killed and not any(one.permission is Permission.EMERGENCY_LIFT for one in scopes_of(grants_of(operator))):
            raise Forbidden("The kill switch is pressed: only those who can lift it sign in until two of them have.")

    def lock_of(self, actor: str) -> Lock:
        """Give the lock of an account or key.

        Raises:
            NotFound: it is not locked.

        """
        with self._store.read() as tx:
            lock = tx.alerts.locked(actor)
        if lock is None:
            raise NotFound("This account is not locked.")
        return lock

    def disable(self, operator_id: OperatorId, actor: str, reason: str) -> None:
        """Stop somebody for good, at once; one person is enough for that.

        Raises:
            NotFound: there is no such operator.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves them working here; whoever stops them is told nothing and tries again.
            tx.operators.disable(operator_id)
            self.note(tx, "operator-disable", actor, operator_id, reason)


def grants_of(operator: Operator) -> Sequence[Grant]:
    """Read an operator's roles."""
    return parse_grants(operator.roles)
