"""A flood of strangers: what they can fill, what they can hold up, and that honest people get on.

The site is an app in mode separate whose views know their visit. What is bounded: drafts by their
size, rows of one token by their number, waiting threads, and this process's memory. What is not: a
row and a receipt for each submission that was answered, until its token is too old; they go by age
and never to make room (security rule 18). That is some hundred bytes, and up to 4 KiB where there
was a draft: SQLite keeps the page that it stood on.
"""

import gc
import os
import resource
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from seeother.drive import THREADS_PER_KEY
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.stage import Answer
from seeother.visit import Visit
from seeother.wsgi import SeeOther, Sent
from tests.crash import memory
from tests.stores.files import other

SCALE: Final = float(os.environ.get("SCALE", "1"))
VISITORS: Final = int(2_000 * SCALE)
EDITS: Final = int(1_000 * SCALE)
HONEST: Final = 50  # every so many strangers an honest visitor
DRAFT: Final = 20_000
KEPT: Final = 2 << 20
WAL: Final = 5 << 20
PER_POST: Final = 5_000
LEAK: Final = 16 << 20
WAIT: Final = 60.0


class Site:
    """A site with one form; "slow" waits for `go`, "wrong..." is not accepted."""

    def __init__(self, path: Path) -> None:
        self.path, self.done = path, list[str]()
        self.entered, self.go = Event(), Event()
        settings: dict[str, Any] = {"store": f"sqlite:///{path}", "max_kept": KEPT}
        self.outer = SeeOther(self._app, patience=WAIT, **settings)
        self.client = WSGIClient(self.outer)

    def _app(self, environ: dict[str, Any], start_response: Any) -> Any:
        visit: Visit = environ["seeother"]
        if environ["REQUEST_METHOD"] == "POST":
            return Sent(self._save(visit))(environ, start_response)
        typed = visit.draft.old("text") if visit.draft is not None else ""
        said = [flash.text for flash in visit.flashes()]
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"<form method=post><textarea>{typed}</textarea></form>{said}".encode()]

    def _save(self, visit: Visit) -> Any:
        text = visit.form["text"]
        if text.startswith("wrong"):
            return visit.see_other("/", draft={"text": "That is wrong."})
        if text == "slow":
            self.entered.set()
            assert self.go.wait(WAIT)
        self.done.append(text)
        return visit.see_other("/", flash="Saved.")

    def visitor(self) -> Browser:
        """Somebody who was never here before."""
        return Browser(self.client)

    def served(self) -> None:
        """An honest visitor sends something, is told so, and it is done once."""
        ann, text = self.visitor(), f"honest {len(self.done)}"
        answer = ann.submit({"text": text})
        assert answer.status == 303
        assert "Saved." in ann.follow(answer).text
        assert self.done.count(text) == 1

    def restored(self) -> None:
        """An honest visitor who made a mistake finds it in the form again."""
        ann = self.visitor()
        assert "wrong, sorry" in ann.follow(ann.submit({"text": "wrong, sorry"})).text

    def count(self, sql: str) -> int:
        """A number out of the database."""
        with other(self.path) as connection:
            found: int = connection.execute(sql).fetchone()[0]
            return found

    def size(self) -> int:
        """What all files of the store take, in bytes."""
        return sum(file.stat().st_size for file in self.path.parent.iterdir())


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, on files of its own."""
    with memory.folder() as made:
        here = Site(made / "folder" / "ledger.db")
        yield here
        here.go.set()
        here.outer.driver.shut()
        here.outer.store.shut()


def resident() -> int:
    """The memory of this process, in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def strangers(site: Site) -> Iterator[int]:
    """Each posts a large form that is wrong; every fourth refuses cookies. The statuses."""
    text = "wrong" + "x" * DRAFT
    for number in range(VISITORS):
        stranger = site.visitor()
        fields = {"text": text, "so_token": token(stranger.get())}
        if number % 4 == 0:
            stranger.cookies.clear()
        yield stranger.post(fields).status
        if number % HONEST == 0:
            site.served()
            site.restored()


def test_a_flood_of_strangers(site: Site) -> None:
    """Their drafts take what they may and no more, memory stays flat, honest people are served."""
    flood = strangers(site)
    first = Counter(islice(flood, VISITORS // 4))
    before = resident()
    statuses = first + Counter(flood)
    grown = resident() - before
    assert statuses == {422: -(-VISITORS // 4), 303: VISITORS - -(-VISITORS // 4)}
    kept = site.count("SELECT total(length(draft)) FROM so_receipt")
    rows, posts = site.count("SELECT count(*) FROM so_ledger"), VISITORS + 2 * VISITORS // HONEST
    print(f"{VISITORS} strangers: {kept / 1e6:.1f} MB of drafts, {rows} rows,", end=" ")
    print(f"{site.size() / 1e6:.1f} MB of files, memory {grown / 1e6:+.1f} MB")
    assert KEPT / 2 < kept <= KEPT
    assert rows <= posts
    assert site.size() < KEPT + WAL + posts * PER_POST
    assert grown < LEAK
    assert not site.outer.driver.room._waiting


def test_duplicates_that_wait_hold_nobody_up(site: Site) -> None:
    """Of 40 duplicates of a slow view four wait; the others are answered, and so is everybody."""
    ann = site.visitor()
    fields = {"text": "slow", "so_token": token(ann.get())}
    with ThreadPoolExecutor(41) as threads:
        first: Future[Answer] = threads.submit(ann.post, fields)
        assert site.entered.wait(WAIT)
        again = [threads.submit(ann.post, fields) for _ in range(40)]
        early = list(islice(as_completed(again, WAIT), 40 - THREADS_PER_KEY))
        assert all("so=w." in one.result().location for one in early)
        site.served()
        site.restored()
        site.go.set()
        waited = [one.result(WAIT) for one in (first, *again) if one not in early]
    assert len(waited) == THREADS_PER_KEY + 1
    assert len({answer.location for answer in waited}) == 1
    assert site.done.count("slow") == 1


def test_one_token_with_many_edits(site: Site) -> None:
    """64 of them are done; then it is refused, keeps no more rows, and nobody else is concerned."""
    ann = site.visitor()
    name = token(ann.get())
    edits = (ann.post({"text": f"edit {n}", "so_token": name}).status for n in range(EDITS))
    assert Counter(edits) == {303: 64, 429: EDITS - 64}
    assert site.count("SELECT count(*) FROM so_ledger") == len(site.done) == 64
    site.served()


def test_a_flood_expires(site: Site) -> None:
    """What it leaves goes by itself, when its tokens are too old to be sent again."""
    for _ in range(20):
        site.visitor().submit({"text": "wrong" + "x" * DRAFT})
    store: Any = site.outer.store
    now = store.clock()
    store.clock = lambda: now + 90_000.0
    assert store.expire_now() == 40
    tables = ("so_ledger", "so_receipt")
    assert [site.count(f"SELECT count(*) FROM {table}") for table in tables] == [0, 0]


def test_the_settings_reach_the_store(site: Site) -> None:
    """What the policy says about limits is what the store keeps."""
    store: Any = site.outer.store
    assert store.max_kept == KEPT
    assert store.max_rows_per_token == site.outer.policy.max_rows_per_token
