"""The gate's database as the layers above see it: one transaction at a time, with its repositories."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Self

from sqlalchemy.orm import Session

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Unavailable
from moiety.storage.api_keys import ApiKeyTable
from moiety.storage.batches import BatchTable
from moiety.storage.canaries import CanaryTable
from moiety.storage.engine import BUSY_TIMEOUT_MS, READ_ONLY, open_engine, plain_errors
from moiety.storage.fields import FieldTable
from moiety.storage.galleries import GalleryTable
from moiety.storage.intents import IntentTable
from moiety.storage.keeping import RecordTable, RuleTable
from moiety.storage.ledger_entries import LedgerTable
from moiety.storage.owed import ConsentTable, FollowUpTable, HoldTable, ReceiptTable
from moiety.storage.schema import migrate
from moiety.storage.subjects import SubjectTable
from moiety.storage.templates import TemplateTable

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
    def ledger(self) -> LedgerTable:
        """The ledger's entries; `moiety.ledger` is the only one that should add to it."""
        return LedgerTable(self.session)


class Store:
    """The gate's database. Thread-safe; each transaction belongs to the thread that opened it.

    The gate is one process, so one lock orders all writers: counters (a template's seq, the ledger's seq) are drawn
    without gaps on any database.
    """

    def __init__(self, where: Path | str, clock: Clock, *, create: bool = True, disk: Disk = SYSTEM_DISK) -> None:
        """Open, check and migrate the SQLite file (or SQLAlchemy URL) `where`; transactions end through `disk`.

        Raises:
            Fault: it is missing (with `create` false), damaged, or newer than this program.
            DiskFull: there is no room for the tables.

        """
        self.clock = clock
        self._disk = disk
        self._engine = open_engine(where, create=create)
        self._write_lock = threading.Lock()
        self._here = threading.local()
        migrate(self._engine)

    @property
    def engine(self) -> Engine:
        """The engine underneath, for start-up checks and tests."""
        return self._engine

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Open a transaction that may write: all of it is kept when the block ends, nothing if it raises.

        Keep the block short and never wait for the network in it: writers queue behind each other.

        Raises:
            DiskFull: there is no room; nothing was kept.
            Unavailable: other writers took too long.
            Fault: the database is damaged.

        """
        with self._turn(), self._transaction(self._engine) as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one moment, waits for no writer and can write nothing.

        Raises:
            Fault: the database is damaged.

        """
        readers = self._engine.execution_options(**{READ_ONLY: True, "postgresql_readonly": True})
        with self._transaction(readers) as transaction:
            yield transaction

    def close(self) -> None:
        """Close all connections; SQLite then folds the WAL into the file and removes it."""
        self._engine.dispose()

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

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        """Open one session; commit at the end, or roll back on any error."""
        # A crash before COMMIT returns leaves the old state (SQLite drops the unfinished WAL frames at the next
        # start); after it, the new one. There is no state in between, so there is nothing to tidy up here.
        with plain_errors(), Session(engine, expire_on_commit=False) as session:
            yield Transaction(session, self.clock)
            if engine is self._engine:
                session.flush()
                self._disk.commit(session.commit)
