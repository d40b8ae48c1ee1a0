"""Async views: the transaction is Django's, on Django's thread, and ends with its request."""

import asyncio
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client, TestCase

from seeother.django.transaction import ViewTransaction
from tests.adapters.django.project import WAIT, filled, migrate, together, tokens, use_database
from tests.adapters.django.shop.models import Order


def run(work: Any) -> Any:
    """On an event loop that knows no request; its database connection is closed at the end."""

    async def closing() -> Any:
        try:
            return await work
        finally:
            await sync_to_async(connections.close_all)()

    (found,) = together(lambda: asyncio.run(closing()))
    return found


async def form_of(client: AsyncClient, path: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return tokens((await client.get(path)).content.decode())


@pytest.mark.usefixtures("database")
class TestAsync:
    """Through Django's ASGI handler."""

    def test_duplicates_at_once(self) -> None:
        """The same form four times, on one thread for all: one row, one outcome."""

        async def work() -> list[Any]:
            client = AsyncClient()
            sent = {**await form_of(client, "/async/"), "name": "Ann"}
            return await asyncio.gather(*[client.post("/async/", sent) for _ in range(4)])

        answers = run(work())
        assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
        assert Order.objects.count() == 1

    def test_requests_on_one_thread_do_not_meet(self) -> None:
        """Three forms at once where Django has one connection for all of them: three rows."""

        async def work() -> list[Any]:
            client = AsyncClient()
            forms = [{**await form_of(client, "/async/"), "name": f"{n}"} for n in range(3)]
            return await asyncio.gather(*[client.post("/async/", sent) for sent in forms])

        assert [a.status_code for a in run(work())] == [303] * 3
        assert Order.objects.count() == 3

    def test_a_rollback_takes_nobody_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On that one connection a form that fails takes back itself, and not the next one."""
        begin, asked, second = ViewTransaction.begin, list[bool](), threading.Event()

        def counted(transaction: ViewTransaction) -> bool:
            asked.append(begin(transaction))
            if len(asked) == 2:
                second.set()
            return asked[-1]

        create = Order.objects.acreate

        async def waiting(**values: str) -> Order:
            made: Order = await create(**values)
            if values["name"] == "bad":
                await asyncio.to_thread(second.wait, WAIT)
            return made

        monkeypatch.setattr(ViewTransaction, "begin", counted)
        monkeypatch.setattr(Order.objects, "acreate", waiting)

        async def work() -> list[Any]:
            client = AsyncClient(raise_request_exception=False)
            form = await form_of(client, "/async/")
            bad = client.post("/async/", {**form, "name": "bad", "raise": "1"})
            good = client.post("/async/", {**form, "name": "good"})
            return list(await asyncio.gather(bad, good))

        assert [a.status_code for a in run(work())] == [500, 303]
        assert [order.name for order in Order.objects.all()] == ["good"]

    def test_an_async_view_that_raises(self) -> None:
        """No row, and the same form may be sent again."""

        async def work() -> list[int]:
            client = AsyncClient(raise_request_exception=False)
            sent = {**await form_of(client, "/async/"), "name": "Ann"}
            failed = await client.post("/async/", {**sent, "raise": "1"})
            return [failed.status_code, (await client.post("/async/", sent)).status_code]

        assert (run(work()), Order.objects.count()) == ([500, 303], 1)

    def test_a_client_that_leaves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The server cancels its view: all of it is rolled back, the form may be sent again."""
        entered = asyncio.Event()
        done = Order.objects.acreate

        async def slow(**values: str) -> Order:
            made: Order = await done(**values)
            if not entered.is_set():
                entered.set()
                await asyncio.Event().wait()
            return made

        monkeypatch.setattr(Order.objects, "acreate", slow)

        async def work() -> int:
            client = AsyncClient()
            sent = {**await form_of(client, "/async/"), "name": "Ann"}
            leaving = asyncio.ensure_future(client.post("/async/", sent))
            await entered.wait()
            leaving.cancel()
            await asyncio.wait((leaving,))
            return int((await client.post("/async/", sent)).status_code)

        assert (run(work()), Order.objects.count()) == (303, 1)


class TestInsideATestCase(TestCase):
    """Django's own TestCase: everything is rolled back after each test, the ledger too."""

    @classmethod
    def setUpClass(cls) -> None:
        """A database for the class, before Django opens its transaction."""
        folder = cls.enterClassContext(TemporaryDirectory())
        use_database(Path(folder) / "project.db")
        migrate()
        super().setUpClass()
        cls.addClassCleanup(connections.close_all)

    def test_it_is_one_order(self) -> None:
        """Twice the same form inside the test's transaction: one row."""
        client = Client()
        sent = filled(client, "/", name="Ann")
        with self.assertNumQueries(3):  # a savepoint, the order, its release
            assert client.post("/", sent).status_code == 303
        with self.assertNumQueries(0):
            assert client.post("/", sent).status_code == 303
        assert Order.objects.count() == 1

    def test_it_starts_from_nothing(self) -> None:
        """The other test left nothing."""
        assert Order.objects.count() == 0

    def test_hooks_are_the_tests(self) -> None:
        """`captureOnCommitCallbacks` finds what the view registered."""
        client = Client()
        sent = filled(client, "/hooking/", name="Ann")
        with self.captureOnCommitCallbacks() as hooks:
            assert client.post("/hooking/", sent).status_code == 303
        assert len(hooks) == 2
