"""Mode fenced in Django: exactly once, and nothing is locked before the view's first write."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import AsyncClient, Client
from django.utils import translation

from seeother.django import exchange
from seeother.errors import StoreBusy
from tests.adapters.django import test_once as once
from tests.adapters.django.project import POSTGRES, filled, saying, together
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order
from tests.adapters.django.test_async import form_of, run

pytestmark = pytest.mark.usefixtures("database")
LATE = 10.0


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    for left in (views.SENT, views.DURING):
        left.clear()
    translation.deactivate()  # a test before may have gone to another language
    yield
    for left in (views.SENT, views.DURING):
        left.clear()


def on_a_thread(job: Callable[[], Any]) -> Any:
    """Somebody else, with a database connection of his own."""
    return together(job)[0]


def states() -> list[str]:
    """The ledger, as another connection sees it."""

    def look() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT state FROM so_ledger")
            return [row[0] for row in cursor.fetchall()]

    found: list[str] = on_a_thread(look)
    return found


@pytest.mark.parametrize(
    "promise",
    [
        once.test_a_double_click_is_one_order,
        once.test_a_rollback_that_was_asked_for,
        once.test_on_commit_runs_after_the_commit,
        once.test_rejected_input_in_place_is_no_outcome,
        once.test_the_admin_adds_once,
        once.test_the_guessing_game,
        once.test_our_own_pages_pass_djangos_check,
        once.test_a_file_arrives_whole,
        once.test_the_verbs,
        once.test_a_target_that_is_elsewhere,
        once.test_a_database_without_the_tables,
        once.test_non_atomic_requests_commit_by_themselves,
    ],
    ids=lambda promise: str(promise.__name__),
)
def test_what_joined_promises(promise: Callable[..., None], request: pytest.FixtureRequest) -> None:
    """A project's views keep every promise of mode joined."""
    wanted = promise.__code__.co_varnames[: promise.__code__.co_argcount]
    with saying(mode="fenced"):
        promise(**{name: request.getfixturevalue(name) for name in wanted})


@pytest.mark.parametrize("atomic", [False, True])
def test_a_view_that_thinks_locks_nobody_out(atomic: bool) -> None:
    """It has read, also inside of ATOMIC_REQUESTS; others order meanwhile, and a click waits.

    The second click gets the waiting page, and from there the answer, once there is one.
    """
    connection.settings_dict["ATOMIC_REQUESTS"] = atomic
    client, other, waits = Client(), Client(), list[str]()
    User.objects.create_user("Ann", password="secret")
    sent = filled(client, "/slow/", name="slow")

    def quick() -> Any:
        return other.post("/", filled(other, "/", name="quick"))

    def meanwhile() -> None:
        assert User.objects.filter(username="Ann").exists()
        assert Order.objects.count() == 0
        for _ in range(2):
            assert on_a_thread(quick).status_code == 303
        again = on_a_thread(lambda: client.post("/slow/", sent))
        waits.append(again["Location"])
        assert on_a_thread(lambda: client.get(waits[0])).status_code == 200

    views.DURING.append(meanwhile)
    try:
        with saying(patience=0.1):
            answer = client.post("/slow/", sent)
            assert answer.status_code == 303
            assert client.get(waits[0])["Location"] == answer["Location"]
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert "?so=w." in waits[0]
    assert once.names() == ["quick", "quick", "slow"]


def test_the_claim_is_seen_and_the_effect_is_not() -> None:
    """While it runs its row says claimed; effect, session and outcome are there together."""
    client, seen = Client(), list[tuple[list[str], list[str]]]()

    def meanwhile() -> None:
        Order.objects.create(name="early")
        seen.append((on_a_thread(once.names), states()))

    views.DURING.append(meanwhile)
    assert client.post("/slow/", filled(client, "/slow/", name="late")).status_code == 303
    assert seen == [([], ["claimed"])]
    assert (once.names(), states()) == (["early", "late"], ["settled"])
    assert client.session["seen"] == 1


def test_who_was_taken_over_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease ran out and another process did it: no second effect, no session, one answer."""
    client, answers = Client(), list[Any]()
    sent = filled(client, "/slow/", name="tea")

    def lapse() -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE so_ledger SET lease_until=0")

    def meanwhile() -> None:
        on_a_thread(lapse)
        monkeypatch.setattr(exchange, "DRIVER", exchange.DjangoDriver())  # as in another process
        answers.append(on_a_thread(lambda: client.post("/slow/", sent)))

    views.DURING.append(meanwhile)
    answers.append(client.post("/slow/", sent))
    assert [a.status_code for a in answers] == [303, 303]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert (once.names(), states()) == (["tea"], ["settled"])
    assert client.session["seen"] == 1


def test_savepoints_before_the_first_write() -> None:
    """Blocks that only read, fail, or write in their inside: as in every atomic()."""
    client = Client()

    def meanwhile() -> None:
        with transaction.atomic():
            assert Order.objects.count() == 0
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            _ = Order.objects.count() / 0
        with transaction.atomic():
            with transaction.atomic():
                Order.objects.create(name="never")
                transaction.set_rollback(True)
            assert Order.objects.count() == 0
            Order.objects.create(name="neither")
            transaction.set_rollback(True)
        with transaction.atomic(), transaction.atomic():
            Order.objects.create(name="kept")

    views.DURING.append(meanwhile)
    assert client.post("/slow/", filled(client, "/slow/", name="tea")).status_code == 303
    assert once.names() == ["kept", "tea"]


@pytest.mark.parametrize("path", ["/slow/", "/during/"], ids=["fenced", "joined"])
def test_a_store_that_fails_in_the_view_leaves_nothing(path: str) -> None:
    """503 with the text comes of what was raised: what was written before goes, the token stays."""
    client = Client()
    sent = filled(client, path, name="tea")

    def meanwhile() -> None:
        Order.objects.create(name="half")
        raise StoreBusy("just now")

    views.DURING.append(meanwhile)
    refused = client.post(path, sent)
    assert (refused.status_code, b"tea" in refused.content) == (503, True)
    assert sent["so_token"].encode() in refused.content
    assert (once.names(), states()) == ([], [])
    assert client.post(path, sent).status_code == 303
    assert once.names() == ["tea"]


if not POSTGRES:  # there a writer waits for rows, and nobody has the whole database

    def test_a_lock_past_patience_keeps_the_text() -> None:
        """Another program writes for longer than patience: 503 with the text, the same token works.

        Where the claim could not be given back either, it works as soon as the lease is over.
        """
        client = Client()
        sent = filled(client, "/slow/", name="tea")
        path = connection.settings_dict["NAME"]
        locked = closing(sqlite3.connect(path, isolation_level=None))
        with saying(patience=0.1, lease=1.0), locked as locker:
            views.DURING.append(lambda: locker.execute("BEGIN IMMEDIATE"))
            refused = client.post("/slow/", sent)
            assert (refused.status_code, b"tea" in refused.content) == (503, True)
            locker.execute("ROLLBACK")
            answers = (client.post("/slow/", sent)["Location"] for _ in range(100))
            assert next(there for there in answers if "so=w." not in there).startswith("/done/")
        assert once.names() == ["tea"]


@pytest.mark.parametrize("path", ["/slow/", "/during/"], ids=["fenced", "joined"])
def test_a_database_that_fails_in_the_view(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """503 with the text and the same token, nothing stays; a mistake of the view is still 500."""
    client = Client(raise_request_exception=False)
    sent = filled(client, path, name="tea")
    failing = {503: broken, 500: lambda: list(Order.objects.raw("SELECT * FROM nowhere"))}
    for status, fails in failing.items():
        views.DURING.append(fails)
        refused = client.post(path, sent)
        assert refused.status_code == status
        assert (sent["so_token"].encode() in refused.content) == (status == 503)
        connection.close()
    assert "the database failed in a view: " in caplog.text
    assert (once.names(), states()) == ([], [])
    assert client.post(path, sent).status_code == 303
    assert once.names() == ["tea"]


def broken() -> None:
    """After an insert the server ends this connection; on SQLite: the disk is full."""
    Order.objects.create(name="half")
    with connection.cursor() as cursor:
        if POSTGRES:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        cursor.execute("PRAGMA max_page_count=1")
    Order.objects.create(name="tea" * 1_000_000)


if not POSTGRES:

    def test_a_transaction_that_sqlite_took_back_is_not_begun_again() -> None:
        """A view that catches "disk full" and writes on: nothing stays, also not the rest."""
        client = Client()
        sent = filled(client, "/slow/", name="tea")

        def fails() -> None:  # https://sqlite.org/lang_transaction.html section 2.3
            Order.objects.create(name="half")
            connection.connection.execute("ROLLBACK")

        views.DURING.append(fails)
        assert client.post("/slow/", sent).status_code == 503
        assert (once.names(), states()) == ([], [])
        assert client.post("/slow/", sent).status_code == 303
        assert once.names() == ["tea"]


def test_inside_of_a_test_case() -> None:
    """In a transaction of the test's own everything works, and goes with it."""
    client = Client()
    with transaction.atomic():
        sent = filled(client, "/slow/", name="tea")
        assert [client.post("/slow/", sent).status_code for _ in range(2)] == [303, 303]
        assert once.names() == ["tea"]
        transaction.set_rollback(True)
    assert (once.names(), states()) == ([], [])


def test_a_view_that_is_cancelled_gives_its_claim_back() -> None:
    """The client of an async view leaves: nothing stays, and the same form runs at once."""
    with saying(patience=0.1):
        client, waiting = AsyncClient(), list[asyncio.Task[Any]]()

        async def forever() -> None:
            await Order.objects.acreate(name="half")
            waiting[0].cancel()
            await asyncio.sleep(LATE)

        async def visit() -> list[int]:
            sent = {**await form_of(client, "/aslow/"), "name": "tea"}
            views.DURING.append(forever)
            waiting.append(asyncio.create_task(client.post("/aslow/", sent)))
            with pytest.raises(asyncio.CancelledError):
                await waiting[0]
            return [(await client.post("/aslow/", sent)).status_code for _ in range(2)]

        assert run(visit()) == [303, 303]
    assert once.names() == ["tea"]
