"""Commands whose act waits for people's signatures: what is needed, where it is signed, and the answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from moiety.cli.exits import Exit
from moiety.cli.gateway import PROBLEM_PREFIX, Made
from moiety.cli.output import result, say
from moiety.foundation.errors import SignatureNeeded, refusal_of

if TYPE_CHECKING:
    from moiety.cli.gateway import Gate

POLL_SECONDS = 0.5
_WHO = {
    "operator": "one person must sign it",
    "two-person": "two people must sign it",
    "device": "a device must sign it",
}


def signed(line: Gate, made: Made, *, wait: bool, as_json: bool) -> dict[str, Any]:
    """Give an act's answer; where it waits for signatures, wait for them too, or say so and end the command.

    Raises:
        SignatureNeeded: nobody signed in time, or the question would end with this command.
        Refusal: what the gate or the vaults refused with after it was signed.

    """
    if not made.waits:
        return made.body
    tell(made.body)
    if wait:
        return answer(line, made.body)
    if line.passing:
        raise SignatureNeeded(
            "The installation ran for this command only, and the question is gone with it. Use --wait, or `moiety up`."
        )
    raise leaving(made.body, as_json=as_json)


def tell(question: dict[str, Any]) -> None:
    """Say what a question needs, and where people sign."""
    say(f"The question {question['id']} waits: {_WHO[question['needs']]} before {question['expires_at']}.")
    say(f"Sign in the console (`moiety open`), or at {question['sign_at']} (`moiety question material`).")


def leaving(question: dict[str, Any], *, as_json: bool) -> SystemExit:
    """Print the question that waits, and give what ends the command."""
    result({"question": question}, as_json=as_json, lines=[question["id"]])
    return SystemExit(int(Exit.WAITS))


def answer(line: Gate, question: dict[str, Any]) -> dict[str, Any]:
    """Wait until a question is answered, and give its answer.

    Raises:
        SignatureNeeded: nobody signed in time.
        Refusal: why it was refused.

    """
    seen = question
    while seen["state"] == "waiting":
        time.sleep(POLL_SECONDS)
        seen = line.ask("GET", f"questions/{question['id']}")
    return answered(seen)


def answered(seen: dict[str, Any]) -> dict[str, Any]:
    """Give the answer of a question that does not wait any more.

    Raises:
        SignatureNeeded: nobody signed in time.
        Refusal: why it was refused.

    """
    if seen["state"] == "refused":
        problem = seen["problem"]
        raise refusal_of(str(problem["type"]).removeprefix(PROBLEM_PREFIX), str(problem["detail"]))
    if seen["state"] == "expired":
        raise SignatureNeeded("Nobody signed in time; ask again.")
    found: dict[str, Any] = seen["answer"]
    return found
