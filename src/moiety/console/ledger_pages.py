"""The ledger's pages: searching it, one entry with its proof, and the proof of an act for whoever did it."""

import asyncio
import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BeforeValidator, Field
from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.journal import MICROSECONDS, SEQ_MAX
from moiety.api.ledger_search import Search, Slug, found
from moiety.api.person_schemas import SubjectName
from moiety.api.routes import Routes
from moiety.api.schemas import Taken
from moiety.api.transparency import Seq, own_entry, proof_seen
from moiety.api.visits import TheCaller, TheHouse
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.ledger import Kind
from moiety.people.house import House
from moiety.storage import LedgerEntry
from moiety.tlog.checkpoints import Checkpoint
from moiety.tlog.notes import Note

routes = Routes("ledger pages")

PAGE: Final = 50
KINDS: Final = {
    Kind.COLLECTION: N_("collection"),
    Kind.ALTERATION: N_("alteration"),
    Kind.CONSULTATION: N_("consultation"),
    Kind.DISCLOSURE: N_("disclosure"),
    Kind.COMBINATION: N_("combination"),
    Kind.ERASURE: N_("erasure"),
}


def _nothing(value: object) -> object:
    """Take an empty field of a form for one that is left out."""
    return None if isinstance(value, str) and not value.strip() else value


Left = BeforeValidator(_nothing)
Code = Annotated[Slug | None, Left]


class Form(Taken):
    """What the search's form sends: empty fields are not asked about; days are days of UTC, both included."""

    kind: Annotated[Kind | None, Left] = None
    act: Code = None
    actor: Code = None
    subject: Annotated[SubjectName | None, Left] = None
    since: Annotated[date | None, Left] = None
    until: Annotated[date | None, Left] = None
    before: Annotated[int, Field(ge=1, le=SEQ_MAX)] | None = None

    def search(self) -> Search:
        """Give it as the API's search."""
        end = None if self.until is None else _midnight(self.until) + timedelta(days=1)
        return Search(
            kind=self.kind,
            act=self.act,
            actor=self.actor,
            subject=self.subject,
            since=None if self.since is None else _midnight(self.since),
            until=end,
            before=self.before,
        )

    def query(self, **more: int) -> str:
        """Write it as an address's query, without what is left out."""
        told = self.search().model_dump(mode="json", exclude_none=True, exclude={"limit", "before"})
        return urlencode(told | more)

    def address(self, **more: int) -> str:
        """Give this search's own address."""
        told = self.model_dump(mode="json", exclude_none=True, exclude={"before"})
        return f"/ledger?{urlencode(told | more)}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@routes.add("GET", "/ledger", permission=Permission.LEDGER_READ, response_class=HTMLResponse, include_in_schema=False)
async def show_ledger(frame: Framed, house: TheHouse, asked: Annotated[Form, Query()]) -> HTMLResponse:
    """Show entries, newest first, and how the ledger stands with the witness."""
    entries = await found(house, asked.search(), PAGE)
    stands = await asyncio.to_thread(house.checkpointing.standing)
    return frame.page(
        "ledger.html",
        here="ledger",
        asked=asked,
        kinds=[("", frame.say(N_("any"))), *((kind.value, frame.say(words)) for kind, words in KINDS.items())],
        entries=entries,
        stands=stands,
        head=await asyncio.to_thread(house.desk.ledger.head),
        table_at=f"/v1/ledger/search.csv?{asked.query()}",
        newer=asked.address() if asked.before else "",
        older=asked.address(before=entries[-1].seq) if len(entries) == PAGE else "",
    )


async def _proven(frame: Frame, house: House, entry: LedgerEntry) -> dict[str, Any]:
    """Give what pages say of an entry and of its proof."""
    proven = await asyncio.to_thread(house.checkpointing.prove, entry.seq)
    checkpoint = Checkpoint.parse(Note.parse(proven.proof.note.encode()).text)
    return {
        "entry": entry,
        "moment": entry.at_us / MICROSECONDS,
        "detail": json.loads(entry.detail),
        "proven": proven,
        "root": base64.b64encode(checkpoint.root).decode(),
        "proof": proof_seen(house, proven).model_dump(mode="json"),
        "reasons": frame.may(Permission.LEDGER_REASON),
    }


@routes.add(
    "GET", "/ledger/{seq}", permission=Permission.LEDGER_READ, response_class=HTMLResponse, include_in_schema=False
)
async def show_entry(frame: Framed, house: TheHouse, seq: Seq) -> HTMLResponse:
    """Show one entry and the proof that it is there; its reason is opened by a button, and that is written down."""
    entry = await asyncio.to_thread(house.desk.ledger.entry, seq)
    return frame.page("entry.html", here="ledger", **await _proven(frame, house, entry))


@routes.add("GET", "/proof/{seq}", permission=Permission.SELF, response_class=HTMLResponse, include_in_schema=False)
async def show_own(frame: Framed, house: TheHouse, caller: TheCaller, seq: Seq) -> HTMLResponse:
    """Show the entry of something that the reader did, with its proof."""
    entry = await own_entry(house, caller, seq)
    return frame.page("entry.html", here="", **await _proven(frame, house, entry))
