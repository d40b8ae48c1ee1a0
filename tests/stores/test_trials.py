"""Sessions under races, hundreds of times: on each store, and through an adapter with threads.

Both requests of a race are inside their views before either of them ends: each has read the session
as it was before the other one wrote.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier, Event
from typing import Any, Final

import pytest

from seeother.core.ops import Busy, Close, Op, Open
from seeother.core.values import Changes, SessionWrite
from seeother.errors import StoreBusy
from seeother.stores.base import Store
from seeother.stores.memory import MemoryStore
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.harness import named, together, write
from seeother.visit import Visit
from seeother.wsgi import SeeOther
from tests.crash import memory
from tests.stores.files import other

SCALE: Final = float(os.environ.get("SCALE", "1"))
TRIALS: Final = int(500 * SCALE)
SECRET: Final = "a secret for many trials, 32 bytes or more"

View = Callable[[Visit], object]


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in a folder, neither of which is there yet."""
    with memory.folder() as made:
        yield made / "folder" / "ledger.db"


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, path: Path) -> str:
    """Where each store is."""
    return f"sqlite:///{path}" if request.param == "sqlite" else "memory://"


# On the store itself ------------------------------------------------------------------------------


@pytest.fixture
def store(url: str, path: Path) -> Iterator[Store]:
    """Each store, opened."""
    made: Any = SQLiteStore(path) if url.startswith("sqlite") else MemoryStore()
    yield made
    made.shut()


def ask(store: Store, op: Op[Any]) -> Any:
    """Ask until the store is not busy."""
    reply: Any = Busy()
    while isinstance(reply, Busy):
        try:
            reply = store.perform(op)
        except StoreBusy:
            continue
    return reply


def stored(store: Store, sid: bytes) -> dict[str, bytes] | None:
    """A session; None where there is none."""
    found = ask(store, Open(sid=sid)).session
    return None if found is None else dict(found)


def test_both_keys_are_kept_by_the_store(store: Store) -> None:
    """Two writes at once of different keys: neither is lost, in any trial."""
    sid, lost = named("session"), 0
    ask(store, Close(session=write(sid, fresh=True)))
    for trial in range(TRIALS):
        value = str(trial).encode()
        both = [write(sid, sets={name: value}) for name in ("left", "right")]
        together(lambda one: ask(store, Close(session=one)), both)
        lost += stored(store, sid) != {"left": value, "right": value}
    assert lost == 0


def test_what_was_ended_never_comes_back_to_the_store(store: Store) -> None:
    """A late write against the end of a session: whoever comes first, it has ended."""
    back = 0
    for trial in range(TRIALS):
        sid = named(f"session {trial}")
        ask(store, Close(session=write(sid, fresh=True, sets={"user": b"1"})))
        race = [write(sid, sets={"late": b"1"}), SessionWrite(sid, Changes(), ends=sid)]
        together(lambda one: ask(store, Close(session=one)), race)
        back += stored(store, sid) is not None
    assert back == 0


# Through an adapter -------------------------------------------------------------------------------


class Site:
    """A site whose views the tests bring along; a page and a form do the same with a session."""

    def __init__(self, url: str) -> None:
        self._views: dict[str, View] = {}
        self.outer = SeeOther(self._app, store=url, secret=SECRET, patience=60.0)
        self.threads = ThreadPoolExecutor(2)

    def _app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        visit: Visit = environ["seeother"]
        view = self._views.get(environ["PATH_INFO"][1:])
        seen = view(visit) if view is not None else dict(visit.session)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(seen).encode()]

    def close(self) -> None:
        """End its threads and close its files."""
        self.threads.shutdown()
        self.outer.driver.shut()
        self.outer.store.shut()

    def browser(self, like: Browser | None = None) -> Browser:
        """A new visitor, or one with the cookies that another one has now."""
        made = Browser(WSGIClient(self.outer))
        made.cookies |= like.cookies if like is not None else {}
        return made

    def page(self, browser: Browser, view: View | None = None) -> Any:
        """Open a page with this view; what it returns. Without one: the session."""
        name = f"view-{id(view)}"
        if view is not None:
            self._views[name] = view
        return self._said(browser.get(f"/{name}"))

    def form(self, browser: Browser, view: View) -> Any:
        """Send a form to this view."""
        name = f"view-{id(view)}"
        self._views[name] = view
        return self._said(browser.post({"a": "b"}, f"/{name}"))

    def _said(self, answer: Any) -> Any:
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def at_once(self, browser: Browser, first: View, second: View) -> None:
        """A page and a form of one visitor, in their views at the same time."""
        gate = Barrier(2)

        def behind_the_gate(view: View) -> View:
            def inside(visit: Visit) -> object:
                dict(visit.session)
                gate.wait(60)
                return view(visit)

            return inside

        page, form = behind_the_gate(first), behind_the_gate(second)
        one = self.threads.submit(self.page, self.browser(browser), page)
        two = self.threads.submit(self.form, self.browser(browser), form)
        one.result(60)
        two.result(60)
        self._views.clear()


@pytest.fixture
def site(url: str) -> Iterator[Site]:
    """A site on each store."""
    made = Site(url)
    yield made
    made.close()


def sets(name: str, value: object = 1) -> View:
    """A view that sets a key."""
    return lambda visit: visit.session.update({name: value})


def signs_in(visit: Visit) -> None:
    """A view that signs somebody in."""
    visit.session.rotate()
    visit.session["user"] = "Ann"


def signs_out(visit: Visit) -> None:
    """A view that signs them out."""
    visit.session.clear()


def test_both_keys_are_kept(site: Site) -> None:
    """A page and a form of one visitor write different keys at once: 0 lost."""
    ann, lost = site.browser(), 0
    site.page(ann, sets("first"))
    for trial in range(TRIALS):
        site.at_once(ann, sets("page", trial), sets("form", trial))
        lost += site.page(ann) != {"first": 1, "page": trial, "form": trial}
    assert lost == 0


def test_what_was_ended_never_comes_back(site: Site) -> None:
    """A late write against a sign-out: afterwards the cookie is that of a stranger."""
    ann, back = site.browser(), 0
    for _ in range(TRIALS):
        site.page(ann, sets("user"))
        site.at_once(ann, sets("late"), signs_out)
        back += site.page(ann) != {}
    assert back == 0


def test_a_write_after_the_end_is_dropped(site: Site) -> None:
    """The sign-out is answered while another request is still at it: its write is for nobody."""
    ann, out = site.browser(), Event()
    site.page(ann, sets("user", "Ann"))

    def late(visit: Visit) -> object:
        seen, _ = dict(visit.session), out.wait(60)
        visit.session["late"] = 1
        return seen

    before = site.browser(ann)
    pending = in_flight(site, before, late)
    site.form(ann, signs_out)
    out.set()
    assert pending.result(60) == {"user": "Ann"}
    assert site.page(before) == site.page(ann) == {}


def in_flight(site: Site, browser: Browser, view: View) -> "Future[Any]":
    """Start a request, and come back when it is inside its view."""
    inside = Event()

    def entered(visit: Visit) -> object:
        dict(visit.session)
        inside.set()
        return view(visit)

    pending = site.threads.submit(site.page, browser, entered)
    assert inside.wait(60)
    return pending


def test_an_old_id_is_a_stranger(site: Site) -> None:
    """After signing in the id from before opens nothing, and what it writes goes nowhere."""
    ann = site.browser()
    site.page(ann, sets("cart"))
    thief = site.browser(ann)
    site.form(ann, signs_in)
    assert site.page(thief) == {}
    site.page(site.browser(thief), sets("user", "Eve"))
    assert site.page(thief) == {}
    assert site.page(ann) == {"cart": 1, "user": "Ann"}


def test_a_visit_in_flight_merges_and_reads_nothing(site: Site) -> None:
    """It began before the rotation: its change lands in the new session, which it never sees."""
    ann, signed = site.browser(), Event()
    site.page(ann, sets("cart"))

    def late(visit: Visit) -> object:
        signed.wait(60)
        visit.session["late"] = 1
        return dict(visit.session)

    before = site.browser(ann)
    pending = in_flight(site, before, late)
    site.form(ann, signs_in)
    signed.set()
    assert pending.result(60) == {"cart": 1, "late": 1}
    assert site.page(before) == {}
    assert site.page(ann) == {"cart": 1, "user": "Ann", "late": 1}


def test_a_writer_in_the_way_costs_no_session(path: Path) -> None:
    """Another process writes for half a second while a form is answered: its session is kept."""
    site = Site(f"sqlite:///{path}")
    ann = site.browser()
    site.page(ann, sets("first"))
    inside, locked = Event(), Event()

    def blocked(visit: Visit) -> object:
        inside.set()
        locked.wait(60)
        visit.session["form"] = 1
        return None

    with other(path) as writer:
        pending = site.threads.submit(site.form, site.browser(ann), blocked)
        inside.wait(60)
        writer.execute("BEGIN IMMEDIATE")
        locked.set()
        wait([pending], 0.5)
        writer.execute("ROLLBACK")
        pending.result(60)
    kept = site.page(ann)
    site.close()
    assert kept == {"first": 1, "form": 1}


# First processes ----------------------------------------------------------------------------------

FIRST = """
import hashlib, os, sys
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.wsgi import SeeOther

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    if environ["REQUEST_METHOD"] == "POST":
        environ["seeother"].session["number"] = number
    return [b"<form method=post><button>Go</button></form>"]

os.umask(0)
gate, start = os.pipe()
children = []
for number in range(20):
    child = os.fork()
    if not child:
        os.close(start)
        os.read(gate, 1)
        outer = SeeOther(app, store=sys.argv[1])
        answer = Browser(WSGIClient(outer)).submit({"number": str(number)})
        line = f"{answer.status} {hashlib.sha256(outer.policy.secret).hexdigest()}\\n"
        os.write(1, line.encode())
        os._exit(0)
    children.append(child)
os.close(start)
for child in children:
    os.waitpid(child, 0)
"""


def test_twenty_first_processes_share_one_key(path: Path) -> None:
    """They make one key file and one schema, for the owner's eyes only; nothing is left beside."""
    command = [sys.executable, "-c", FIRST, f"sqlite:///{path}"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = out.split("\n")[:-1]
    assert len(lines) == 20
    (line,) = set(lines)
    assert line.startswith("303 ")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes.keys() - {"ledger.db-wal", "ledger.db-shm"} == {"ledger.db", "ledger.key"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with other(path) as connection:
        schemas = connection.execute("SELECT value FROM so_meta WHERE name='schema'").fetchall()
        assert len(schemas) == 1
