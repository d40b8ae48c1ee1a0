"""Async views: the transaction is Django's, on Django's thread, and ends with its request."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client, TestCase

from tests.adapters.django.project import filled, migrate, together, tokens, use_database
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

    def test_duplicates_one_after_the_other_and_at_once(self) -> None:
        """The same form four times: one row, one outcome."""

        async def work() -> list[Any]:
            client = AsyncClient()
            sent = {**await form_of(client, "/async/"), "name": "Ann"}
            first = await client.post("/async/", sent)
            return [first, *[await client.post("/async/", sent) for _ in range(3)]]

        answers = run(work())
        assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
        assert Order.objects.count() == 1

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
