"""Submissions to measure: real requests of a browser, with real tokens, in any number.

A `Site` is an SQLite file with one table of effects beside the ledger, and the whole way of a
submission through the core without any framework: what an adapter does, minus its protocol.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from seeother.core.cookie import cookie_names
from seeother.core.entry import Entry, greet
from seeother.core.flows import Answer, submission
from seeother.core.form import Form, read_form
from seeother.core.keys import encode
from seeother.core.ops import Claim, Granted, Handle, Settle
from seeother.core.policy import Policy
from seeother.core.token import FIELD, mint
from seeother.core.values import (
    ACCEPTED,
    Flash,
    Handled,
    Headers,
    Key,
    Outcome,
    Receipt,
    Request,
    Response,
)
from seeother.drive import Driver
from seeother.setup import performing
from seeother.stores.connect import begin, connect
from seeother.stores.sqlite import SQLiteStore
from seeother.visit import Visit

SECRET = b"a secret for measurements only: not secret"
HOST = "board.example"
FORM = b"application/x-www-form-urlencoded"
VISITOR = b"visitor of bench"
TEXT = "A message of the usual length, as people write them on boards. *Emphasis* included."
INSERT = "INSERT INTO effect(text) VALUES(?)"
POLICY = Policy(secret=SECRET, hosts=(HOST,), mode="joined")
NAMES = cookie_names(POLICY.ring.tag, secure=True)


class Sent(NamedTuple):
    """A form on its way."""

    request: Request
    body: bytes


class Asked(NamedTuple):
    """A claim and the settle that follows it."""

    claim: Claim
    settle: Settle


class Plain:
    """A transaction of the app on a bare sqlite3 connection, for `Store.within`."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.raw = connect(path, synchronous)

    def begin(self) -> bool:
        """BEGIN IMMEDIATE as the store itself says it."""
        return begin(self.raw)

    def commit(self) -> None:
        """COMMIT."""
        self.raw.execute("COMMIT")

    def rollback(self) -> None:
        """ROLLBACK if anything is open."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")


class Site:
    """An app without a framework on one SQLite file."""

    def __init__(self, path: Path, synchronous: str = "NORMAL") -> None:
        self.path = path
        self.store = SQLiteStore(path)
        self.store.prepare()
        self.transaction = Plain(path, synchronous)
        self.raw = self.transaction.raw
        self.raw.execute("CREATE TABLE IF NOT EXISTS effect(n INTEGER PRIMARY KEY, text TEXT)")
        self.driver = Driver()

    def effect(self, _item: object) -> None:
        """The effect alone: one row in one transaction."""
        self.raw.execute("BEGIN IMMEDIATE")
        self.raw.execute(INSERT, (TEXT,))
        self.raw.execute("COMMIT")

    def joined(self, asked: Asked) -> None:
        """The effect with claim and outcome in its transaction."""
        store = self.store.within(self.transaction)
        granted = store.claim(asked.claim)
        assert isinstance(granted, Granted)
        self.raw.execute(INSERT, (TEXT,))
        store.settle(asked.settle)

    def unprotected(self, sent: Sent) -> None:
        """What any app does: read the form, then the effect."""
        Form(read_form(FORM.decode(), sent.body).items)
        self.effect(None)

    def post(self, sent: Sent) -> Answer:
        """The whole submission: origin, token, fingerprint, claim, effect, message, outcome."""
        visit, entry = admitted(sent)
        visit.running = entry.key

        def handle(_op: Handle) -> Handled:
            self.raw.execute(INSERT, (TEXT,))
            return visit.handled(thanked(visit))

        perform = performing(self.store.within(self.transaction).perform, POLICY)
        return self.driver.run(submission(entry, POLICY), perform, handle, single_writer=True)

    def close(self) -> None:
        """Close everything."""
        self.raw.close()
        self.driver.shut()
        self.store.shut()


def admitted(sent: Sent) -> tuple[Visit, Entry]:
    """A submission that was judged and named; the store was not asked."""
    visit = Visit(greet(sent.request, POLICY), POLICY)
    visit.submit(sent.body)
    assert visit.entry is not None
    return visit, visit.entry


def thanked(visit: Visit) -> Response:
    """What a view answers when it is done."""
    return visit.see_other("/", flash="Your message was posted.")


def forms(count: int) -> list[Sent]:
    """New submissions, each with a token of its own."""
    return [_form(os.urandom(16)) for _ in range(count)]


def _form(nonce: bytes) -> Sent:
    now = time.time()
    token = mint(POLICY.ring, visitor=VISITOR, now=now, nonce=nonce, had_headers=True)
    body = urlencode({FIELD: token, "message": TEXT, "name": "Ann"}).encode()
    length = str(len(body)).encode()
    headers: Headers = (
        *browser(),
        (b"origin", f"https://{HOST}".encode()),
        (b"content-type", FORM),
        (b"content-length", length),
    )
    return Sent(request("POST", headers, now), body)


def browser(session: bytes | None = None) -> Headers:
    """The headers of a browser that has been here before."""
    cookie = f"{NAMES.visitor}={encode(VISITOR)}"
    if session is not None:
        cookie += f"; {NAMES.session}={encode(session)}"
    return (
        (b"host", HOST.encode()),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        (b"accept-language", b"en-GB,en;q=0.5"),
        (b"accept-encoding", b"gzip, deflate, br, zstd"),
        (b"cookie", cookie.encode()),
        (b"sec-fetch-dest", b"document"),
        (b"sec-fetch-mode", b"navigate"),
        (b"sec-fetch-site", b"same-origin"),
        (b"sec-fetch-user", b"?1"),
    )


def request(method: str, headers: Headers, now: float) -> Request:
    """A request to the front page."""
    return Request(method, "https", HOST, "", "/", b"", headers, now, os.urandom)


def asks(count: int, *, message: bool = False) -> list[Asked]:
    """Claims and settles with new keys, as a flow would ask them."""
    return [_asked(key_of(time.time()), message=message) for _ in range(count)]


def _asked(key: Key, *, message: bool) -> Asked:
    claim_id, told = os.urandom(16), (Flash("Your message was posted.", "success", "/m/1"),)
    receipt = Receipt(os.urandom(8), b"v" * 16, key, b"e" * 16, told) if message else None
    outcome = Outcome(ACCEPTED, 303, "/", receipt.id if receipt else None)
    claim = Claim(key, key.variant, claim_id, lease=30.0, patience=10.0, takeover=True)
    granted = Granted(1, claim_id)
    return Asked(claim, Settle(key, granted, key.variant, outcome, receipt))


def key_of(when: float) -> Key:
    """A key of the ledger as tokens make them: the time of issue comes first."""
    return Key(int(when).to_bytes(4, "big") + os.urandom(12), os.urandom(16))


def see_other(_op: Handle) -> Handled:
    """The least that a view can answer."""
    return Handled(Response(200))
