"""Claim, effect and outcome in one statement, through WSGI, on a real server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from seeother.errors import PolicyError
from seeother.psycopg import ONE_STATEMENT, Statement
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import FORM, together
from seeother.testing.adapter.stage import SECRET, page
from seeother.waits import WaitingRoom
from seeother.wsgi import SeeOther, once
from tests.stores.test_postgres_psycopg import respond

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

INSERT = "INSERT INTO note(text) SELECT %(text)s FROM claimed"


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
        statement.effect(INSERT, {"text": said})
        return visit.see_other("/done", flash=f"100 % {said}")

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


def test_an_effect_that_does_not_depend_on_the_claim_is_refused() -> None:
    """It would happen each time."""
    with pytest.raises(PolicyError, match="FROM claimed"):
        Statement().effect("INSERT INTO note(text) VALUES('hello')")
