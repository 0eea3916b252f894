"""Both kernels and the batches give the frozen answers of vectors/refresh.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.kernel import fast, nonce_of, reference
from moiety.warrants.batch import commit_rows, row_nonces
from moiety.warrants.statement import commit_row, row_label

if TYPE_CHECKING:
    from types import ModuleType

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "refresh.json").read_text())["refreshes"]
both = pytest.mark.parametrize("kernel", [reference, fast], ids=["reference", "fast"])
each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"d{case['d']}")


def array(text: str, dtype: str) -> Any:
    return np.frombuffer(bytes.fromhex(text), dtype)


@both
@each
def test_halves_of_both_epochs(kernel: ModuleType, case: dict[str, Any]) -> None:
    template, row_id = array(case["template"], "i1"), bytes.fromhex(case["row_id"])
    for epoch, half in ((case["epoch"], case["old"]), (case["epoch"] + 1, case["new"])):
        name = row_label(case["tenant"], case["gallery"], row_id, epoch)
        seed = bytes.fromhex(half["seed"])
        assert kernel.split(template, seed, name).tobytes().hex() == half["row"]
        nonce = np.frombuffer(nonce_of(name), np.uint8)[None]
        pad = kernel.expand(np.frombuffer(seed, np.uint8)[None], nonce, case["d"])[0]
        assert pad.tobytes().hex() == half["pad"]
        joined = array(half["row"], "<u2") + pad
        assert np.array_equal(joined.view(np.int16), template.astype(np.int16))


@each
def test_what_b_sends_turns_the_old_row_into_the_new(case: dict[str, Any]) -> None:
    delta = array(case["old"]["pad"], "<u2") - array(case["new"]["pad"], "<u2")
    assert delta.tobytes().hex() == case["delta"]
    assert (array(case["old"]["row"], "<u2") + delta).tobytes().hex() == case["new"]["row"]


@each
def test_commitments_of_both_epochs(case: dict[str, Any]) -> None:
    row_id = bytes.fromhex(case["row_id"])
    for epoch, half in ((case["epoch"], case["old"]), (case["epoch"] + 1, case["new"])):
        salt, row = bytes.fromhex(half["salt"]), bytes.fromhex(half["row"])
        assert commit_row(case["tenant"], case["gallery"], row_id, epoch, salt, row).hex() == half["c"]
        at = (case["tenant"], case["gallery"], epoch)
        ids, salts = np.frombuffer(row_id, np.uint8)[None], np.frombuffer(salt, np.uint8)[None]
        assert [c.hex() for c in commit_rows(at, ids, salts, np.frombuffer(row, "<u2")[None])] == [half["c"]]
        assert row_nonces(at, ids).tobytes() == nonce_of(row_label(case["tenant"], case["gallery"], row_id, epoch))
