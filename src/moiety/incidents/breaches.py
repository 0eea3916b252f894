"""The breach wizard: an incident with its clock of 72 hours, its steps, who is affected, and its end.

The clock runs from awareness (GDPR, article 33 (1); EDPB guidelines 9/2022, paragraph 31).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import AlreadyThere, BadInput
from moiety.foundation.ids import GalleryId, new_id
from moiety.incidents.losses import parse
from moiety.incidents.sealed import plain_text
from moiety.ledger import Kind as Record
from moiety.storage import Incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.access import Caller
    from moiety.incidents.sealed import Words
    from moiety.matching.desk import Desk
    from moiety.storage import Transaction

PURPOSE: Final = "breach"
CLOCK_S: Final = 72 * 3600
# A browser's clock may be that far ahead of ours.
SKEW_S: Final = 60
CONTENT: Final = "incident.content"
WORDS_CHARS_MAX: Final = 4_000
LINE_CHARS_MAX: Final = 300
GALLERIES_MAX: Final = 200
# What has to be done, in this order, and in words for people.
STEPS: Final[dict[str, str]] = {
    "contain": "Contain it: stop matching or revoke access, change keys, refresh the galleries.",
    "assess": "Look at who is affected and what a thief can do.",
    "evidence": "Export the evidence from the ledger, and keep a copy outside.",
    "authority": "Tell the authority within 72 hours, or write down why no risk to people is likely.",
    "subjects": "Tell the people concerned where the risk for them is high, or write down why it is not.",
    "learn": "Write down what is changed so that it does not happen again.",
}


@dataclass(frozen=True, slots=True, repr=False)
class Story:
    """The words about an incident, as people wrote them; all may be empty but `happened`."""

    happened: str
    controller: str = ""
    contact: str = ""
    consequences: str = ""
    measures: str = ""
    closing: str = ""

    def checked(self) -> Story:
        """Give it as plain text.

        Raises:
            BadInput: something is too long, or it does not say what happened.

        """
        return Story(
            happened=plain_text("What happened", self.happened, WORDS_CHARS_MAX, needed=True),
            controller=plain_text("The controller", self.controller, LINE_CHARS_MAX),
            contact=plain_text("The contact", self.contact, LINE_CHARS_MAX),
            consequences=plain_text("The consequences", self.consequences, WORDS_CHARS_MAX),
            measures=plain_text("The measures", self.measures, WORDS_CHARS_MAX),
            closing=plain_text("The closing note", self.closing, WORDS_CHARS_MAX),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """When it was noticed and between when it was open (seconds since 1970), what was lost, and where (none: all)."""

    aware_at: float
    began_at: float
    ended_at: float
    lost: tuple[str, ...] = ()
    galleries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An incident with its words; `due_at` is the end of its clock."""

    incident: Incident
    story: Story

    @property
    def due_at(self) -> float:
        """When the authority has to know, in seconds since 1970."""
        return self.incident.aware_at + CLOCK_S


def check_step(step: str) -> None:
    """Check that there is such a step.

    Raises:
        BadInput: there is none.

    """
    if step not in STEPS:
        raise BadInput(f"There is no such step; there are: {', '.join(STEPS)}.")


class Breaches:
    """The incidents of one gate."""

    def __init__(self, desk: Desk, words: Words) -> None:
        """Keep the words sealed by `words`."""
        self._desk = desk
        self._words = words

    def open(self, facts: Facts, story: Story, caller: Caller) -> Opened:
        """Open an incident; its clock runs from `facts.aware_at`.

        Raises:
            BadInput: a time lies in the future or goes back, or something is not as it must be.

        """
        incident_id = new_id("inc")
        made = Incident(
            id=incident_id,
            opened_by=str(caller.key_id),
            opened_at=self._desk.clock.now(),
            aware_at=facts.aware_at,
            began_at=facts.began_at,
            ended_at=facts.ended_at,
            closed_at=None,
            lost=(),
            galleries=(),
            done=(),
            content_sealed=b"",
        )
        return self._write(made, facts, story, "incident-open", caller)

    def change(self, incident_id: str, facts: Facts, story: Story, caller: Caller) -> Opened:
        """Write down what is known by now, in the place of what was; when it was noticed stays.

        Raises:
            AlreadyThere: it is closed.
            BadInput: as for `open`.

        """
        known = self._alive(incident_id)
        return self._write(
            known.incident,
            replace(facts, aware_at=known.incident.aware_at),
            replace(story, closing=""),
            "incident-change",
            caller,
        )

    def _write(self, known: Incident, facts: Facts, story: Story, act: str, caller: Caller) -> Opened:
        told = story.checked()
        self._check_times(facts)
        galleries = tuple(dict.fromkeys(facts.galleries))
        made = replace(
            known,
            began_at=facts.began_at,
            ended_at=facts.ended_at,
            lost=tuple(one.value for one in parse(facts.lost)),
            galleries=galleries,
            content_sealed=self._words.seal(CONTENT, known.id, json.dumps(asdict(told))),
        )
        with self._desk.store.begin() as tx:
            if len(galleries) > GALLERIES_MAX:
                raise BadInput(f"An incident names at most {GALLERIES_MAX} galleries; name none for all.")
            for one in galleries:
                tx.galleries.get(GalleryId(one))
            # A crash before the commit leaves it as it was.
            tx.incidents.put(made)
            self._note(tx, act, made.id, caller)
        return Opened(made, told)

    def _check_times(self, facts: Facts) -> None:
        now = self._desk.clock.now() + SKEW_S
        if not 0 <= facts.began_at <= facts.ended_at <= now or not 0 <= facts.aware_at <= now:
            raise BadInput(
                "Times of an incident do not lie in the future, and its end does not lie before its beginning."
            )

    def _note(self, tx: Transaction, act: str, incident_id: str, caller: Caller) -> None:
        self._desk.ledger.append(tx, Record.ALTERATION, act, actor=caller.key_id, purpose=PURPOSE, incident=incident_id)

    def _alive(self, incident_id: str) -> Opened:
        found = self.get(incident_id)
        if found.incident.closed_at is not None:
            raise AlreadyThere("This incident is closed.")
        return found

    def get(self, incident_id: str) -> Opened:
        """Give one with its words.

        Raises:
            NotFound: there is none.

        """
        with self._desk.store.read() as tx:
            return self._opened(tx.incidents.get(incident_id))

    def list(self) -> Sequence[Opened]:
        """Give all, open ones first."""
        with self._desk.store.read() as tx:
            return [self._opened(one) for one in tx.incidents.list()]

    def open_ones(self) -> Sequence[Incident]:
        """Give those that are open, by the end of their clocks, without their words."""
        with self._desk.store.read() as tx:
            return tx.incidents.open()

    def seconds_left(self, one: Incident) -> float:
        """Say how long it is until an incident's clock ends; negative when it has."""
        return one.aware_at + CLOCK_S - self._desk.clock.now()

    def _opened(self, one: Incident) -> Opened:
        return Opened(one, Story(**json.loads(self._words.open(CONTENT, one.id, one.content_sealed))))

    def step(self, incident_id: str, step: str, caller: Caller) -> Opened:
        """Write down that a step is done.

        Raises:
            BadInput: there is no such step.
            AlreadyThere: the incident is closed.

        """
        check_step(step)
        known = self._alive(incident_id)
        done = tuple(one for one in STEPS if one in {*known.incident.done, step})
        made = replace(known.incident, done=done)
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves the step undone.
            tx.incidents.put(made)
            self._note(tx, f"incident-step-{step}", incident_id, caller)
        return Opened(made, known.story)

    def close(self, incident_id: str, note: str, caller: Caller) -> Opened:
        """Close one with a note on what was found and decided; all its steps must be done.

        Raises:
            BadInput: there is no note.
            AlreadyThere: steps are left, or it is closed.

        """
        told = plain_text("The closing note", note, WORDS_CHARS_MAX, needed=True)
        known = self._alive(incident_id)
        left = [one for one in STEPS if one not in known.incident.done]
        if left:
            raise AlreadyThere(f"These steps are left: {', '.join(left)}.")
        story = replace(known.story, closing=told)
        made = replace(
            known.incident,
            closed_at=self._desk.clock.now(),
            content_sealed=self._words.seal(CONTENT, incident_id, json.dumps(asdict(story))),
        )
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves it open, and its clock running.
            tx.incidents.put(made)
            self._note(tx, "incident-close", incident_id, caller)
        return Opened(made, story)
