"""`make test` in three parts: no part fails unheard."""

import pytest

from tests.__main__ import _sum, worse


@pytest.mark.parametrize("statuses", [(1, 0), (0, 2), (-11, 0), (0, -9), (-6, -6)])
def test_a_part_that_failed_or_was_killed_is_a_failure(statuses: tuple[int, int]) -> None:
    """A signal leaves a negative status, which is no success."""
    assert worse(0, 0) == 0
    assert worse(*statuses) == 1


def test_a_part_without_a_summary_is_named() -> None:
    """All are added up; what came to no end does not look like nothing to do."""
    ended = "===== 1 failed, 7 passed in 1.50s ====="
    assert _sum([ended, ended], 2.0).startswith("==== 2 failed, 14 passed in 2.00s")
    assert "1 part that came to no end" in _sum([ended, "Fatal Python error"], 2.0)
