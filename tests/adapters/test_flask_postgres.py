"""Flask on PostgreSQL: `once` (joined) and without it (hooked), by the tests of SQLite and more."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from flask import redirect
from sqlalchemy.exc import IntegrityError

from tests.adapters.flask_shop import Shop, order
from tests.adapters.flask_site import served, together, visiting
from tests.adapters.test_flask_once import (  # noqa: F401 - run here once more, on this `shop`
    test_a_commit_past_the_session_counts_too,
    test_a_double_click_is_one_row,
    test_a_duplicate_keeps_what_hooks_leave,
    test_a_hook_may_commit_first,
    test_a_rejected_form_runs_again,
    test_a_view_that_raises,
    test_a_view_without_an_effect_is_settled_too,
    test_after_commit_is_heard_once_and_then,
    test_commit_and_rollback_work_on_a_savepoint,
    test_several_commits_are_advised_against,
    test_the_row_is_in_the_views_first_commit,
    test_the_session_is_free_again,
    test_what_is_not_committed_is_taken_back,
)
from tests.board.visitor import Visitor

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


class PgShop(Shop):
    """The shop on a schema of its own."""

    def __init__(self, folder: Path, url: str, **config: Any) -> None:
        self.url = url
        uri = url.replace("postgresql:", "postgresql+psycopg:")
        super().__init__(folder, uri=uri, **config)

    def rows(self, sql: str) -> list[Any]:
        """What stands in the database, as another process sees it."""
        with psycopg.connect(self.url) as connection:
            if connection.execute("SELECT to_regclass('so_ledger')").fetchone() == (None,):
                sql = "SELECT 1 WHERE false" if "so_ledger" in sql else sql
            return connection.execute(sql).fetchall()

    def end(self) -> None:
        """Close everything."""
        self.app.extensions["seeother"].settings.store.shut()
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


@pytest.fixture
def url(postgres: "Postgres") -> str:
    """An empty schema."""
    return postgres.fresh()


@pytest.fixture
def shop(tmp_path: Path, url: str) -> Iterator[PgShop]:
    """A shop on a fresh schema."""
    made = PgShop(tmp_path, url)
    yield made
    made.end()


def test_no_other_file_was_made(shop: PgShop, tmp_path: Path) -> None:
    """The ledger is in the app's own database, by its own choice, and views are hooked."""
    shop.view(order(shop), once=False)
    with visiting(shop.app) as visitor:
        visitor.submit(visitor.get("/"), name="tea")
    assert shop.app.extensions["seeother"].settings.mode == "hooked"
    assert (shop.ledger(), list(tmp_path.iterdir())) == (["settled"], [])


@pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])
def test_two_apps_and_four_clicks_at_each(
    tmp_path: Path, url: str, shop: PgShop, once: bool
) -> None:
    """Two apps that share nothing but the database, eight threads, one form: one row."""
    shops = [shop, PgShop(tmp_path, url)]
    for one in shops:
        one.view(order(one), once=once)
    with (
        served(shops[0].app) as first,
        served(shops[1].app) as second,
        Visitor(first) as visitor,
    ):
        page = visitor.get("/")
        sent = {"name": "tea", "so_token": page.form.fields["so_token"]}
        cookies = [(c.name, str(c.value)) for c in visitor.client.cookies.jar]

        def click(number: int) -> Any:
            where = (first, second)[number % 2]
            with Visitor(where) as clicking:
                for name, value in cookies:
                    clicking.client.cookies.set(name, value)
                return clicking.post(sent, f"{where}?so", origin=where.rstrip("/"))

        answers = together(8, click)
    assert {a.status_code for a in answers} == {303}
    assert len({a.headers["location"] for a in answers}) == 1
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])
    shops[1].end()


def test_a_caught_constraint_is_a_rejection(shop: PgShop) -> None:
    """The view catches the IntegrityError of its flush and answers 422; corrected it runs."""

    def post() -> Any:
        try:
            shop.add()
            shop.db.session.add(shop.Order(name=None))
            shop.db.session.flush()
        except IntegrityError:
            shop.db.session.rollback()
            return "taken", 422
        return redirect("/")

    shop.view(post)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert [visitor.submit(page, name="tea").status_code for _ in range(2)] == [422, 422]
    assert shop.names() == []


def test_a_server_that_is_gone_keeps_the_text(shop: PgShop) -> None:
    """Every connection is ended: the resend page at worst, and the same token is good."""
    shop.view(order(shop))
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        visitor.submit(page, name="coffee")
        others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
        shop.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        answers = [visitor.submit(page, name="tea") for _ in range(2)]
    assert {a.status_code for a in answers} <= {303, 503}
    assert answers[-1].status_code == 303
    assert shop.names() == ["coffee", "tea"]
