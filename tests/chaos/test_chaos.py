"""Real servers behind a bad line: every form that was confirmed has one effect.

`make chaos` does it at length, on every adapter and store, and writes docs/proof/chaos.md.
"""

from collections.abc import Iterator
from os import environ
from typing import Final

import pytest

from tests.chaos.storms import STORES, Opened, run
from tests.presence import missing
from tests.servers import NoServer

SCALE: Final = float(environ.get("SCALE", "1"))
SEED: Final = int(environ.get("SEED", "1"))
POSTS: Final = int(25 * SCALE)
# Each store, each server; `make chaos` has every adapter on every store.
TRIED: Final = (
    ("sqlite", "django", "joined"),
    ("postgresql", "wsgi", "joined"),
    ("redis", "starlette", "separate"),
)


@pytest.fixture(params=TRIED, ids="-".join)
def tried(request: pytest.FixtureRequest) -> Iterator[tuple[tuple[str, str, str], Opened]]:
    """An adapter, a store, a mode, and a place on that store."""
    store = request.param[0]
    try:
        with STORES[store].opened() as opened:
            yield request.param, opened
    except NoServer as error:
        missing(store.upper(), f"pip install 'seeother[dev]' ({error})")


def test_a_bad_line(tried: tuple[tuple[str, str, str], Opened]) -> None:
    """Nothing twice, nothing lost, nothing changed, whatever the network does."""
    (store, adapter, mode), opened = tried
    storm = run(adapter, store, mode, opened(mode), seed=SEED, posts=POSTS)
    print(storm)
    assert storm.faults == []
    assert storm.posts >= POSTS


def test_the_storm_sees_what_it_looks_for() -> None:
    """The same app without seeother: duplicates, and answers that differ."""
    with STORES["sqlite"].opened() as opened:
        storm = run("wsgi", "sqlite", "bare", opened("bare"), seed=SEED, posts=POSTS)
    assert storm.summary.duplicates > 0
    assert storm.summary.changed > 0
