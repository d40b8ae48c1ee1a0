"""Hostile input, a little of each kind; `python -m tests.fuzz` makes it millions."""

from __future__ import annotations

import os

import pytest

from .__main__ import KINDS
from .tally import measured

NUMBER = int(15_000 * float(os.environ.get("SCALE", "1")))
ENOUGH = {"targets": "accepted", "tokens": "ours, unchanged", "bodies": "canonical, all agree"}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_wrong_is_accepted(kind: str) -> None:
    """Nothing that is wrong is accepted, nothing crashes, and what is right gets through."""
    tally = measured(KINDS[kind], seed=7, number=NUMBER)
    assert tally.wrong == []
    right = tally.counts[ENOUGH[kind]]
    assert NUMBER // 50 < right < NUMBER, "all or nothing accepted: it would prove nothing"
