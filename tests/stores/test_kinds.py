"""Which store a URL names, and what is said where it cannot be had."""

import sys

import pytest

from seeother.errors import PolicyError
from seeother.stores import open_store


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence: what is missing, and the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [name for name in sys.modules if name.startswith("seeother.stores.p")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PolicyError) as refused:
        open_store("postgresql://host/database")
    assert "psycopg" in str(refused.value)
    assert 'pip install "seeother[postgres]"' in str(refused.value)


def test_a_kind_that_does_not_exist() -> None:
    """The known ones are named."""
    with pytest.raises(PolicyError, match="known: memory, postgres, postgresql, redis"):
        open_store("mysql://host/database")
