"""How commands reach a ledger from outside: over the gate's API, or as a copy in a folder; and whose keys count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from moiety.cli import installation
from moiety.foundation.errors import BadInput, PartDown, Unverified
from moiety.ledger.audit import KEYS, Trust
from moiety.tlog.names import log_key, witness_key
from moiety.tlog.notes import Algorithm, VerifierKey
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moiety.cli.gateway import Gate
    from moiety.cli.installation import Installation


class Served:
    """The ledger of a gate that runs, as it shows it to everybody who may read it."""

    def __init__(self, line: Gate) -> None:
        """Read over the owner's line."""
        self._line = line

    def read(self, path: str) -> bytes:
        """Give a file.

        Raises:
            Unverified: it is not there.
            PartDown: the gate does not answer.

        """
        try:
            reply = self._line.http.get(f"/v1/ledger/{path}")
        except httpx.HTTPError:
            raise PartDown("The gate does not answer.") from None
        if not reply.is_success:
            raise Unverified(f"The gate does not show {path} of its ledger.")
        return reply.content


def _public(made: Installation, role: Role) -> bytes:
    """Give a part's signing key: its own where it is here, else from the card that the part of this folder keeps."""
    if made.part in {None, role}:
        return made.identity(role).signing.public_key().public_bytes_raw()
    return bytes.fromhex(made.peers(made.part)[role].signing)


def own_keys(data: Path | None) -> Trust:
    """Give the keys of the gate's ledger and of the witness, from an installation or from the part that is here.

    Raises:
        BadInput: the part that is here knows neither of them.

    """
    made = installation.load(installation.where(data))
    if made.part not in {None, Role.GATE, Role.WITNESS}:
        raise BadInput("The keys of the ledger are known on the machines of the gate and of the witness.")
    log = log_key(made.tenant, _public(made, Role.GATE))
    return Trust(log, (witness_key(made.tenant, _public(made, Role.WITNESS)),))


def trust_in(lines: Iterable[str]) -> Trust:
    """Read verifier keys: one of a ledger, and those of witnesses.

    Raises:
        BadInput: there is not exactly one of a ledger, or one is damaged.

    """
    keys = [VerifierKey.parse(line) for line in lines if line.strip()]
    logs = [key for key in keys if key.algorithm is Algorithm.ED25519]
    if len(logs) != 1:
        raise BadInput("Give the verifier key of one ledger, and those of its witnesses: `--key` for each.")
    return Trust(logs[0], tuple(key for key in keys if key.algorithm is Algorithm.COSIGNATURE))


def told_keys(folder: Path) -> Trust:
    """Read the keys that lie with a copy; they prove no more than that the copy agrees with itself.

    Raises:
        BadInput: there are none.

    """
    try:
        return trust_in(folder.joinpath(KEYS).read_text().splitlines())
    except (OSError, UnicodeDecodeError):
        raise BadInput("No keys lie with the copy: give them with `--key`.") from None
