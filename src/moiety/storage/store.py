"""The gate's database as the layers above see it: one transaction at a time, with its repositories."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Fault, Unavailable
from moiety.storage.api_keys import ApiKeyTable
from moiety.storage.approvals import ApprovalTable
from moiety.storage.batches import BatchTable
from moiety.storage.belonging import claim
from moiety.storage.canaries import CanaryTable
from moiety.storage.engine import BUSY_TIMEOUT_MS, open_engines, plain_errors
from moiety.storage.exposed import ExposedTable
from moiety.storage.fields import FieldTable
from moiety.storage.galleries import GalleryTable
from moiety.storage.guarding import AlertTable, DecoyTable, DeploymentTable, LookTable, SpentTable
from moiety.storage.incidents import DrillTable, EmergencyTable, IncidentTable, ReportTable
from moiety.storage.intents import IntentTable
from moiety.storage.keeping import RecordTable, RuleTable
from moiety.storage.ledger_entries import LedgerTable
from moiety.storage.noted import kept
from moiety.storage.operators import OperatorTable
from moiety.storage.owed import ConsentTable, FollowUpTable, HoldTable, ReceiptTable
from moiety.storage.own_ends import EndTable
from moiety.storage.own_templates import OwnTemplateTable
from moiety.storage.release_waits import ReleaseWaitTable
from moiety.storage.schema import migrate
from moiety.storage.subjects import SubjectTable
from moiety.storage.templates import TemplateTable
from moiety.storage.tries import FailedTryTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy import Engine

    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk


class Transaction:
    """The repositories of one transaction; of no use once its `with` block has ended."""

    def __init__(self, session: Session, clock: Clock) -> None:
        """Made by `Store.begin` and `Store.read` only."""
        self.session = session
        self._clock = clock

    @cached_property
    def galleries(self) -> GalleryTable:
        """Galleries: purpose, model, thresholds."""
        return GalleryTable(self.session, self._clock)

    @cached_property
    def subjects(self) -> SubjectTable:
        """Subjects, each in one gallery."""
        return SubjectTable(self.session, self._clock)

    @cached_property
    def canaries(self) -> CanaryTable:
        """Subjects whom the eye made up."""
        return CanaryTable(self.session)

    @cached_property
    def fields(self) -> FieldTable:
        """Sealed values about subjects."""
        return FieldTable(self.session, self._clock)

    @cached_property
    def templates(self) -> TemplateTable:
        """Which row at the vaults is whose."""
        return TemplateTable(self.session, self._clock)

    @cached_property
    def rules(self) -> RuleTable:
        """What galleries ask before they keep anybody."""
        return RuleTable(self.session)

    @cached_property
    def records(self) -> RecordTable:
        """Why subjects are kept."""
        return RecordTable(self.session)

    @cached_property
    def consents(self) -> ConsentTable:
        """Consents of subjects."""
        return ConsentTable(self.session)

    @cached_property
    def ends(self) -> EndTable:
        """When records end."""
        return EndTable(self.session)

    @cached_property
    def release_waits(self) -> ReleaseWaitTable:
        """Of whom a written release is asked."""
        return ReleaseWaitTable(self.session)

    @cached_property
    def own_templates(self) -> OwnTemplateTable:
        """Hashes of templates that people keep themselves."""
        return OwnTemplateTable(self.session, self._clock)

    @cached_property
    def holds(self) -> HoldTable:
        """Legal holds."""
        return HoldTable(self.session)

    @cached_property
    def receipts(self) -> ReceiptTable:
        """Receipts of erasures."""
        return ReceiptTable(self.session)

    @cached_property
    def follow_ups(self) -> FollowUpTable:
        """Recipients who have to be told."""
        return FollowUpTable(self.session)

    @cached_property
    def batches(self) -> BatchTable:
        """Many people at once."""
        return BatchTable(self.session, self._clock)

    @cached_property
    def intents(self) -> IntentTable:
        """The two-phase journal."""
        return IntentTable(self.session, self._clock)

    @cached_property
    def api_keys(self) -> ApiKeyTable:
        """API keys, as hashes."""
        return ApiKeyTable(self.session, self._clock)

    @cached_property
    def operators(self) -> OperatorTable:
        """People who work here, their passkeys and their ways in."""
        return OperatorTable(self.session, self._clock)

    @cached_property
    def approvals(self) -> ApprovalTable:
        """Acts that two people stand behind."""
        return ApprovalTable(self.session, self._clock)

    @cached_property
    def emergencies(self) -> EmergencyTable:
        """Stop and kill."""
        return EmergencyTable(self.session)

    @cached_property
    def exposed(self) -> ExposedTable:
        """Counts of what a breach could have touched."""
        return ExposedTable(self.session)

    @cached_property
    def incidents(self) -> IncidentTable:
        """Breaches and their clocks."""
        return IncidentTable(self.session)

    @cached_property
    def reports(self) -> ReportTable:
        """What strangers told us of holes."""
        return ReportTable(self.session)

    @cached_property
    def drills(self) -> DrillTable:
        """Reports of drills."""
        return DrillTable(self.session)

    @cached_property
    def alerts(self) -> AlertTable:
        """Notices for another unit, and locks of accounts."""
        return AlertTable(self.session)

    @cached_property
    def spent(self) -> SpentTable:
        """What actors opened in this hour."""
        return SpentTable(self.session)

    @cached_property
    def decoys(self) -> DecoyTable:
        """Subjects who are nobody."""
        return DecoyTable(self.session)

    @cached_property
    def tries(self) -> FailedTryTable:
        """How often somebody failed to pass for a subject."""
        return FailedTryTable(self.session, self._clock)

    @cached_property
    def looks(self) -> LookTable:
        """How newcomers look."""
        return LookTable(self.session)

    @cached_property
    def deployments(self) -> DeploymentTable:
        """What galleries are used under."""
        return DeploymentTable(self.session)

    @cached_property
    def ledger(self) -> LedgerTable:
        """The ledger's entries; `moiety.ledger` is the only one that should add to it."""
        return LedgerTable(self.session)


class Store:
    """The gate's database. Thread-safe; each transaction belongs to the thread that opened it.

    The gate is one process, so one lock orders all writers: counters (a template's seq, the ledger's seq) are drawn
    without gaps on any database. On a server that others reach too, `postgres` keeps a second gate away.
    """

    def __init__(
        self,
        where: Path | str,
        clock: Clock,
        *,
        create: bool = True,
        disk: Disk = SYSTEM_DISK,
        owner: str = "",
    ) -> None:
        """Open, check and migrate the SQLite file (or database URL) `where`; transactions end through `disk`.

        A database on a server is noted as the `owner`'s, and must not be noted as another installation's.

        Raises:
            Fault: it is missing (with `create` false), damaged, newer than this program, or another gate's.
            DiskFull: there is no room for the tables.
            Unavailable: the server cannot be reached.

        """
        self.clock = clock
        self._disk = disk
        self._engines = open_engines(where, create=create)
        self._write_lock = threading.Lock()
        self._here = threading.local()
        try:
            migrate(self.engine)
            if owner:
                with self.begin() as tx:
                    claim(tx.session.connection(), owner)
        except BaseException:
            self._engines.close()
            raise

    @property
    def engine(self) -> Engine:
        """The engine that writes, for start-up checks and tests."""
        return self._engines.writers

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction that may write: all of it is kept when the block ends, nothing if it raises.

        Keep the block short and never wait for the network in it: writers queue behind each other.

        Raises:
            DiskFull: there is no room; nothing was kept.
            Unavailable: other writers took too long, or the database cannot be reached.
            Fault: the database is damaged, or was lost in the middle of a commit.

        """
        with self._turn(), self._transaction(self._engines.writers) as transaction:
            yield transaction
            self._keep(transaction.session)
            kept(transaction.ledger.added)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one moment, waits for no writer and can write nothing.

        Raises:
            Fault: the database is damaged.
            Unavailable: it cannot be reached.

        """
        with self._transaction(self._engines.readers) as transaction:
            yield transaction

    def close(self) -> None:
        """Close all connections; SQLite then folds the WAL into the file and removes it."""
        self._engines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the writers in front."""
        if getattr(self._here, "writing", False):
            raise RuntimeError("This thread has a transaction open already; pass it on instead of opening another.")
        if not self._write_lock.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise Unavailable("The database is busy; try again.")
        self._here.writing = True
        try:
            yield
        finally:
            self._here.writing = False
            self._write_lock.release()

    def _keep(self, session: Session) -> None:
        """Commit; where a server was lost on the way nobody knows whether it did, and only a new start finds out.

        Raises:
            Fault: as a crash would do, this leaves the old state or the new one.

        """
        session.flush()
        try:
            self._disk.commit(session.commit)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Fault("The database was lost in the middle of a commit; start the gate again.") from None
            raise

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        """Open one session, which is rolled back unless it was committed."""
        # A crash before COMMIT returns leaves the old state (the database drops what is unfinished in its log at the
        # next start); after it, the new one. There is no state in between, so there is nothing to tidy up here.
        with plain_errors(), Session(engine, expire_on_commit=False) as session:
            yield Transaction(session, self.clock)
