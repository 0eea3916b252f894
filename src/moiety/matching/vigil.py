"""Who looks at whom and how often: budgets of people, decoys that nobody has a reason to open, repeated searches.

What is noticed is written for another unit than the looker's (`alert`) and into the ledger. Repeats are counted from
the ledger, which names the candidate and not the picture: no probe is kept for it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import TYPE_CHECKING, Final

from moiety.foundation import settings
from moiety.foundation.envelopes import pack
from moiety.foundation.errors import Locked, RateLimited
from moiety.foundation.ids import new_id
from moiety.ledger import Kind as Record
from moiety.storage.guard_records import Alert, AlertKind, Lock
from moiety.watch import declare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

_log = logging.getLogger(__name__)

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400
MICROSECONDS: Final = 1_000_000
MARK_BYTES: Final = 16
# Acts that look for somebody: an answer that named them, a comparison with them, a look-up of their reference.
SEARCHES: Final = ("candidate", "verify", "find")
SETTING: Final = {"field": "MOIETY_PERSON_FIELDS_HOUR", "label": "MOIETY_PERSON_LABELS_HOUR"}
# What a comparison with one claimed person costs, in labels: a list that is gone through one by one is a search.
CLAIM_LABELS: Final = 10
WATCHER: Final = "gate"
declare("alert", [kind.value for kind in AlertKind])


def is_person(actor: str) -> bool:
    """Whether it is somebody who works here; a program's key at a door sees the same people every day."""
    return actor.startswith("opr_")


def by_of(desk: Desk, asker: Asker, *, bare: bool) -> dict[str, str | bool]:
    """Say to vault B who asks: a person's id, keyed marks of session and reason, and whether it is shown bare."""
    mark = hmac.digest(desk.secrets.blind, pack("moiety/reason-mark/1", asker.reason), hashlib.sha256)
    person = asker.actor if is_person(asker.actor) else ""
    return {"person": person, "session": asker.session, "reason": mark[:MARK_BYTES].hex(), "bare": bare}


def spend(desk: Desk, tx: Transaction, asker: Asker, meter: str, count: int) -> None:
    """Charge a person for what is about to be shown, by the hour; vault B charges again, by its own count.

    The `meter` is `label` for references that lists show masked, for look-ups and comparisons, else `field`.

    Raises:
        RateLimited: the budget of this hour is spent.

    """
    if not is_person(asker.actor):
        return
    hour, within = divmod(int(desk.clock.now()), HOUR_SECONDS)
    if tx.spent.add(asker.actor, meter, hour, count) > settings.number(SETTING[meter]):
        raise RateLimited("Your budget of this hour for looking at people is spent.", wait_s=HOUR_SECONDS - within)


def over_budget(desk: Desk, gallery: Gallery, asker: Asker) -> None:
    """Tell another unit that a person's budget is spent, at the gate or at vault B; once an hour."""
    if not is_person(asker.actor):
        return
    with desk.store.begin() as tx:
        # A crash before the commit leaves no alert; the next refusal writes it.
        notice(desk, tx, AlertKind.BUDGET, gallery, asker.actor, None, HOUR_SECONDS)


def searched(desk: Desk, tx: Transaction, gallery: Gallery, asker: Asker, subject: SubjectId) -> None:
    """Tell another unit when one person looks for the same one again and again; within the transaction of the look."""
    most, days = settings.number("MOIETY_REPEATS"), settings.number("MOIETY_REPEAT_DAYS")
    if not most or not is_person(asker.actor):
        return
    after = desk.clock.now() - days * DAY_SECONDS
    if tx.alerts.looks(asker.actor, subject, SEARCHES, int(after * MICROSECONDS)) >= most:
        notice(desk, tx, AlertKind.REPEATED, gallery, asker.actor, subject, days * DAY_SECONDS)


def check_decoys(desk: Desk, gallery: Gallery, asker: Asker, subjects: Sequence[SubjectId]) -> None:
    """Refuse to touch a decoy; whoever tried, but for the owner of the machine, is locked until two people unlock them.

    Raises:
        Locked: one of the subjects is nobody.

    """
    with desk.store.read() as tx:
        touched = tx.decoys.among(subjects)
    if not touched:
        return
    with desk.store.begin() as tx:
        # A crash before the commit leaves no alert and no lock, and nothing was shown either.
        alert = notice(desk, tx, AlertKind.CANARY, gallery, asker.actor, min(touched), 0.0)
        if is_person(asker.actor) or asker.actor.startswith("key_"):
            tx.alerts.lock(Lock(asker.actor, alert.id, desk.clock.now()))
    raise Locked


def notice(
    desk: Desk,
    tx: Transaction,
    kind: AlertKind,
    gallery: Gallery,
    actor: str,
    subject: SubjectId | None,
    within: float,
) -> Alert:
    """Write an alert, or count it again where there is one of the last `within` seconds; a new one is in the ledger."""
    now = desk.clock.now()
    known = tx.alerts.since(kind.value, actor, subject, now - within)
    if known:
        tx.alerts.again(known, now)
        return known
    alert = Alert(new_id("alr"), kind.value, actor, gallery.id, subject, 1, now, now)
    tx.alerts.put(alert)
    desk.ledger.append(
        tx,
        Record.CONSULTATION,
        "alert",
        actor=WATCHER,
        purpose=gallery.purpose,
        gallery=gallery.id,
        subject=subject,
        of=kind.value,
        about=actor,
        alert=alert.id,
    )
    about = {"alert": kind.value, "gallery": gallery.id, "caller": actor}
    _log.warning("gate: alert %(alert)s in %(gallery)s about %(caller)s", about)
    return alert
