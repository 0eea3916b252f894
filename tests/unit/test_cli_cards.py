"""Cards between machines: what is stored, and what is refused with nothing stored."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moiety.cli import cardfile, installation
from moiety.cli.cardfile import CardFile, Outcome
from moiety.foundation.errors import AlreadyThere, BadInput, Unverified
from moiety.wire.cards import Peers
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.installation import Installation

TENANT = "ten_0123456789abcdef"


def begun(folder: Path, role: Role, tenant: str = TENANT) -> Installation:
    made = installation.begin(folder, role, tenant)
    Peers([cardfile.own(made).card]).save(made.folder(role) / "peers.json")
    return made


@pytest.fixture
def gate(tmp_path: Path) -> Installation:
    return begun(tmp_path / "gate", Role.GATE)


@pytest.fixture
def mint(tmp_path: Path) -> Installation:
    return begun(tmp_path / "mint", Role.MINT)


def sent(tmp_path: Path, made: Installation) -> CardFile:
    """Send a card as a file."""
    cardfile.own(made).write(tmp_path / "sent.card")
    return CardFile.read(tmp_path / "sent.card")


def known(made: Installation) -> set[Role]:
    assert made.part
    return {card.role for card in made.peers(made.part)}


def test_a_card_is_stored_when_its_words_were_heard(tmp_path: Path, gate: Installation, mint: Installation) -> None:
    card = sent(tmp_path, mint)
    assert card == cardfile.own(mint)
    assert cardfile.add(gate, card, f"  {card.words.upper().replace('-', ' ')} ", replace=False) is Outcome.ADDED
    assert gate.peers(Role.GATE)[Role.MINT] == card.card
    assert known(gate) == {Role.GATE, Role.MINT}
    assert cardfile.add(gate, card, card.words, replace=False) is Outcome.KNOWN


@pytest.mark.parametrize("heard", ["", "lusab", "lusab-babad-gutih-tugad-gutuk-bisog"])
def test_wrong_words_store_nothing(tmp_path: Path, gate: Installation, mint: Installation, heard: str) -> None:
    with pytest.raises(Unverified, match="not stored"):
        cardfile.add(gate, sent(tmp_path, mint), heard, replace=True)
    assert known(gate) == {Role.GATE}


def test_a_card_that_was_changed_on_its_way_has_other_words(
    tmp_path: Path, gate: Installation, mint: Installation
) -> None:
    true = cardfile.own(mint)
    other = begun(tmp_path / "other", Role.MINT)
    for field in ("certificate", "signing", "sealing"):
        changed = {field: getattr(cardfile.own(other).card, field)}
        forged = CardFile(TENANT, replace(true.card, **changed))
        assert forged.words != true.words
        with pytest.raises(Unverified):
            cardfile.add(gate, forged, true.words, replace=False)
    assert known(gate) == {Role.GATE}


def test_another_card_of_a_part_needs_to_be_said(tmp_path: Path, gate: Installation, mint: Installation) -> None:
    first, second = cardfile.own(mint), cardfile.own(begun(tmp_path / "anew", Role.MINT))
    cardfile.add(gate, first, first.words, replace=False)
    with pytest.raises(AlreadyThere, match=r"opens no more.*--replace"):
        cardfile.add(gate, second, second.words, replace=False)
    assert gate.peers(Role.GATE)[Role.MINT] == first.card
    assert cardfile.add(gate, second, second.words, replace=True) is Outcome.REPLACED
    assert gate.peers(Role.GATE)[Role.MINT] == second.card


def test_a_card_of_another_installation_or_of_this_very_part_is_refused(
    tmp_path: Path, gate: Installation, mint: Installation
) -> None:
    foreign = cardfile.own(begun(tmp_path / "foreign", Role.EYE, "ten_ffffffffffffffff"))
    with pytest.raises(BadInput, match="belongs to"):
        cardfile.add(gate, foreign, foreign.words, replace=True)
    itself = cardfile.own(begun(tmp_path / "itself", Role.GATE))
    with pytest.raises(BadInput, match="itself"):
        cardfile.add(gate, itself, itself.words, replace=True)
    first = cardfile.own(mint)
    cardfile.add(gate, first, first.words, replace=False)
    both = CardFile(TENANT, replace(cardfile.own(begun(tmp_path / "eye", Role.EYE)).card, sealing=first.card.sealing))
    with pytest.raises(BadInput, match="bears keys of mint"):
        cardfile.add(gate, both, both.words, replace=True)


def _card(mint: Installation, **changed: Any) -> bytes:
    card = cardfile.own(mint)
    plain = {"form": "moiety/card/1", "tenant": card.tenant, "role": "mint", "certificate": card.card.certificate}
    return json.dumps(plain | {"signing": card.card.signing, "sealing": card.card.sealing} | changed).encode()


def test_a_file_that_is_no_card_is_refused(tmp_path: Path, mint: Installation) -> None:
    other = cardfile.own(begun(tmp_path / "eye", Role.EYE)).card
    path = tmp_path / "sent.card"
    path.write_bytes(_card(mint))
    assert CardFile.read(path) == cardfile.own(mint)
    for damaged in (
        b"",
        b"[]",
        b"[" * 100_000,
        _card(mint)[:-3],
        _card(mint, form="moiety/card/2"),
        _card(mint, role="king"),
        _card(mint, role="eye"),
        _card(mint, certificate=other.certificate),
        _card(mint, certificate="-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        _card(mint, signing="00"),
        _card(mint, sealing=7),
        _card(mint, more="than there is"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"'sent.card' is no card"):
            CardFile.read(path)
    with pytest.raises(BadInput, match="cannot be read"):
        CardFile.read(tmp_path / "nothing.card")
    with pytest.raises(BadInput, match="cannot be written"):
        cardfile.own(mint).write(tmp_path / "no folder" / "x.card")
