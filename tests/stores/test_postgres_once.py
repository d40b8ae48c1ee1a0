"""Claim, effect and outcome in one statement, through WSGI, on a real server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from seeother.core.ops import Done, Fenced, Settle
from seeother.errors import PolicyError, StoreBusy
from seeother.psycopg import ONE_STATEMENT, Statement
from seeother.stores.pg_rows import lock_of
from seeother.stores.postgres import PostgresStore
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import FORM, together
from seeother.testing.adapter.stage import SECRET, page
from seeother.testing.harness import WHOLE, claim, key, outcome
from seeother.waits import WaitingRoom
from seeother.wsgi import SeeOther, once
from tests.stores.test_postgres_psycopg import respond

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

INSERT = "INSERT INTO note(text) SELECT %(text)s FROM claimed"
EFFECTS = {
    "no such table": "INSERT INTO nowhere(text) SELECT %(text)s FROM claimed",
    "no number": "INSERT INTO note(id) SELECT %(text)s::int FROM claimed",
}


class Site:
    """An app whose effect is said in advance."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE note(id serial PRIMARY KEY, text text UNIQUE)")
        said: dict[str, Any] = {"namespace": "one", "mode": "joined", "store": url}
        self.outer = SeeOther(self.app, secret=SECRET, **said)
        self.client = WSGIClient(self.outer)

    def app(self, environ: Any, start_response: Any) -> Any:
        """A form, and what it does."""
        if environ["REQUEST_METHOD"] == "GET":
            return respond(start_response, page(FORM))
        return once(environ, ONE_STATEMENT, self.save)(environ, start_response)

    def save(self, statement: Statement, visit: Any) -> Any:
        """Rejected, remembered, or saved."""
        said = visit.form["message"]
        if not said:
            return visit.see_other("/", draft={"message": "Type something."})
        if said == "raise":
            raise ZeroDivisionError
        if said == "remember" or visit.form.get("also"):
            visit.session["said"] = said
        statement.effect(EFFECTS.get(said, INSERT), {"text": said})
        return visit.see_other("/done", flash=None if said == "quiet" else f"100 % {said}")

    def rows(self, sql: str) -> list[Any]:
        """As another process sees it."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def site(postgres: "Postgres") -> Iterator[Site]:
    """On a schema of its own."""
    made = Site(postgres.fresh())
    yield made
    made.outer.store.shut()


def test_effect_row_and_receipt_are_of_one_statement(site: Site) -> None:
    """One transaction and one command of it wrote all three; the duplicate gets its answer."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "it's %s"}
    first, second = browser.post(sent), browser.post(sent)
    assert (first.status, second.location) == (303, first.location)
    tables = ("note", "so_ledger", "so_receipt")
    wrote = [site.rows(f"SELECT xmin::text, cmin::text FROM {table}") for table in tables]
    assert len({rows[0][0] for rows in wrote}) == 1 and all(len(rows) == 1 for rows in wrote)
    assert site.rows("SELECT text FROM note") == [("it's %s",)]


def test_sixteen_at_once_have_one_effect(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views may run side by side; one statement counts, and everybody gets its outcome."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "hello"}
    monkeypatch.setattr(WaitingRoom, "enter", lambda *_: True)
    answers = together(*[lambda: browser.post(sent)] * 16)
    assert {(a.status, a.location) for a in answers} == {(303, answers[0].location)}
    assert site.rows("SELECT text FROM note") == [("hello",)]


def test_what_fails_leaves_nothing(site: Site) -> None:
    """A constraint: the app's own error, no row, and the token is good for another try."""
    browser = Browser(site.client)
    browser.submit({"message": "taken"})
    sent = {"so_token": token(browser.get("/")), "message": "taken"}
    assert browser.post(sent).status == 500
    site.rows("DELETE FROM note RETURNING 1")
    assert browser.post(sent).status == 303
    assert len(site.rows("SELECT 1 FROM so_ledger")) == 2


def test_a_rejected_form_is_corrected(site: Site) -> None:
    """A draft is more than one statement holds; the effect of the corrected form is there once."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": ""}
    rejected = browser.post(sent)
    assert rejected.status == 303 and site.rows("SELECT * FROM note") == []
    answers = [browser.post({**sent, "message": "better"}).location for _ in range(2)]
    assert answers[0] == answers[1]
    assert site.rows("SELECT text FROM note") == [("better",)]


def test_a_session_and_the_effect_commit_together(site: Site) -> None:
    """More than one statement holds: a transaction, whose duplicate has neither again."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "remember"}
    assert browser.post(sent).location == browser.post(sent).location
    assert site.rows("SELECT text FROM note") == [("remember",)]
    assert site.rows("SELECT convert_from(value, 'UTF8') FROM so_session") == [('"remember"',)]


def test_a_view_without_a_message(site: Site) -> None:
    """Nothing to tell: claim, effect and record, and no receipt."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "quiet"}
    assert [browser.post(sent).status for _ in range(2)] == [303, 303]
    assert site.rows("SELECT text FROM note") == [("quiet",)]


def test_a_view_that_raises_has_said_nothing(site: Site) -> None:
    """Its own error, no effect and no row; the token is good for another try."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "raise"}
    assert browser.post(sent).status == 500
    assert site.rows("SELECT text FROM note") == []
    assert site.rows("SELECT id FROM so_ledger") == []


@pytest.mark.parametrize("also", ["", "a key of the session"])
@pytest.mark.parametrize("wrong", ["no such table", "no number"])
def test_what_is_wrong_with_an_effect_is_the_apps_error(site: Site, wrong: str, also: str) -> None:
    """And no outage: sending the form again would not help. In one statement as in steps."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": wrong, "also": also}
    assert browser.post(sent).status == 500
    assert site.rows("SELECT id FROM so_ledger") == []


def test_an_outage_is_no_error_of_the_app(site: Site) -> None:
    """A database that became read-only: 503 with the text."""
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/")), "message": "hello"}
    store: Any = site.outer.store
    store.prepare()
    store.shut()
    store.url += "%20-cdefault_transaction_read_only%3Don"
    answer = browser.post(sent)
    assert (answer.status, "hello" in answer.text) == (503, True)


def test_values_and_their_places(postgres: "Postgres") -> None:
    """By name, by order or none, in several effects; percent signs as psycopg has them."""
    url = postgres.fresh()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE pair(a text, b int)")
    store, statement, mine = PostgresStore(url), Statement(), claim(key(issued=2e9))
    once = store.within(statement)
    grant = once.perform(mine)
    statement.effect("INSERT INTO pair SELECT %s || '%%', %s FROM claimed", ("it's", 70_000))
    said = {"b": -1, "a": "twice", "unused": None}
    statement.effect("INSERT INTO pair SELECT %(a)s || %(a)s::text, %(b)s FROM claimed", said)
    statement.effect("INSERT INTO pair SELECT '5 %', 2 FROM claimed -- so much")
    done = Settle(mine.key, grant, mine.fingerprint, outcome())
    assert once.perform(done) == Done()
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT a, b FROM pair").fetchall()
    assert set(found) == {("it's%", 70_000), ("twicetwice", -1), ("5 %", 2)}
    store.shut()


@pytest.mark.parametrize("keep", [True, False])
def test_the_second_worker_gets_the_outcome_of_the_first(postgres: "Postgres", keep: bool) -> None:
    """Both views have run; one statement counts. A submission without a name keeps no row."""
    url = postgres.fresh()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note(text text)")
    store = PostgresStore(url)
    replies: list[Any] = []
    for where in ("/first", "/second"):
        statement, mine = Statement(), claim(key(issued=2e9), by=where)
        once = store.within(statement)
        grant = once.perform(mine)
        statement.effect("INSERT INTO note SELECT %s FROM claimed", [where])
        done = Settle(mine.key, grant, mine.fingerprint, outcome(where), keep=keep)
        replies.append(once.perform(done))
    with psycopg.connect(url) as connection:
        notes = connection.execute("SELECT text FROM note").fetchall()
        rows = connection.execute("SELECT id FROM so_ledger").fetchall()
    first: Any = [Done(), Fenced(outcome("/first"))] if keep else [Done(), Done()]
    assert replies == first
    assert (len(notes), len(rows)) == ((1, 1) if keep else (2, 0))
    store.shut()


def test_a_token_has_only_so_many_rows(site: Site) -> None:
    """As in every other way: what was sent before gets its answer, the next other input 429."""
    store: Any = site.outer.store
    store.max_rows_per_token = 2
    browser = Browser(site.client)
    sent = {"so_token": token(browser.get("/"))}
    said = ["one", "two", "three", "two"]
    answers = [browser.post({**sent, "message": words}).status for words in said]
    assert answers == [303, 303, 429, 303]
    assert site.rows("SELECT text FROM note ORDER BY id") == [("one",), ("two",)]


def test_other_input_under_the_one_row_of_a_token(postgres: "Postgres") -> None:
    """A token for one submission: who comes second with other input is told that it was edited."""
    store = PostgresStore(postgres.fresh())
    replies = []
    for words in ("one", "other"):
        mine = claim(key(variant=WHOLE, issued=2e9), fp=words, by=words)
        once = store.within(Statement())
        done = Settle(mine.key, once.perform(mine), mine.fingerprint, outcome())
        replies.append(once.perform(done))
    assert replies == [Done(), Fenced(edited=True)]
    store.shut()


def test_somebody_at_it_elsewhere_is_busy(postgres: "Postgres") -> None:
    """An app of another kind has the submission locked in its own transaction: ask again."""
    store = PostgresStore(postgres.fresh())
    mine = claim(key(issued=2e9))
    once = store.within(Statement())
    left = Settle(mine.key, once.perform(mine), mine.fingerprint, outcome(), keep=False)
    with psycopg.connect(store.url) as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock({lock_of(mine.key)})".encode())
        with pytest.raises(StoreBusy, match="just now"):
            once.perform(left)
    assert once.perform(left) == Done()
    store.shut()


@pytest.mark.parametrize("params", [["one"], ["one", "two", "three"], {"a": 1}, {"a": 1, "b": 2}])
def test_values_that_do_not_fit_are_refused(params: Any) -> None:
    """At the view's own line, before values of one effect could slip into another."""
    with pytest.raises(PolicyError, match="do not fit"):
        Statement().effect("INSERT INTO pair SELECT %s, %(b)s, %s FROM claimed", params)


def test_an_effect_that_does_not_depend_on_the_claim_is_refused() -> None:
    """It would happen each time."""
    with pytest.raises(PolicyError, match="FROM claimed"):
        Statement().effect("INSERT INTO note(text) VALUES('hello')")
