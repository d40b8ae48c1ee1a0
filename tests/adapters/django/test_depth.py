"""What else a Django project is made of: generic views, formsets, several databases, test cases."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import Client, TestCase, TransactionTestCase, override_settings

from tests.adapters.django.project import filled, migrate, together, tokens, use_database
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order


@pytest.fixture(autouse=True)
def _nothing_sent() -> Iterator[None]:
    views.SENT.clear()
    yield
    views.SENT.clear()


def names(alias: str = "default") -> list[str]:
    """What was ordered."""
    return list(Order.objects.using(alias).order_by("pk").values_list("name", flat=True))


# Generic views and formsets -----------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_a_double_clicked_delete_is_no_404() -> None:
    """DeleteView: the duplicate gets the redirect of the first; a form rendered anew is 404."""
    kept = [Order.objects.create(name=name) for name in ("Ann", "Bob")]
    client, path = Client(), f"/deleting/{kept[0].pk}/"
    sent = filled(client, path)
    assert [client.post(path, sent).status_code for _ in range(2)] == [303, 303]
    assert (names(), client.get(path).status_code) == (["Bob"], 404)


@pytest.mark.usefixtures("database")
def test_two_tabs_that_update_one_thing() -> None:
    """UpdateView: two forms are two submissions, the last one wins; a rejected one comes back."""
    pk = Order.objects.create(name="Ann").pk
    client, path = Client(), f"/updating/{pk}/"
    one, two = filled(client, path, name="one"), filled(client, path, name="two")
    for sent, stored in ((one, "one"), (two, "two"), (one, "two")):
        assert client.post(path, sent).status_code == 303
        assert names() == [stored]
    answer = client.post(path, filled(client, path, name="nobody"))
    text = client.get(answer["Location"]).content.decode()
    assert 'value="nobody"' in text and "There is no such thing." in text
    assert names() == ["two"]


def several(client: Client, *typed: str) -> dict[str, str]:
    """A formset as a browser sends it."""
    rows = {f"form-{n}-name": name for n, name in enumerate(typed)}
    return {**filled(client, "/several/"), **rows}


@pytest.mark.usefixtures("database")
def test_a_formset_is_one_submission() -> None:
    """All of its rows together, once."""
    client = Client()
    sent = several(client, "Ann", "Bob")
    answers = together(*[lambda: client.post("/several/", sent)] * 2)
    assert ({a.status_code for a in answers}, names()) == ({303}, ["Ann", "Bob"])


@pytest.mark.usefixtures("database")
def test_a_rejected_formset_is_no_outcome() -> None:
    """Although its view wrote something: the page again, and then the corrected form runs."""
    client = Client()
    sent = several(client, "Ann", "x" * 50)
    for _ in range(2):
        page = client.post("/several/", sent)
        assert (page.status_code, b"at most 40 characters" in page.content) == (200, True)
    assert client.post("/several/", {**sent, "form-1-name": "Bob"}).status_code == 303
    assert names() == ["attempt", "attempt", "Ann", "Bob"]


@pytest.mark.usefixtures("database")
def test_the_admin_changes_deletes_and_rejects() -> None:
    """Change, bulk delete with its question in between, and a form with errors: each once."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="secret"))
    kept = [Order.objects.create(name=name) for name in ("Ann", "Bob", "Cid")]
    add = "/admin/shop/order/add/"
    wrong = filled(client, add, name="x" * 50, _save="Save")
    pages = [client.post(add, wrong) for _ in range(2)]
    assert [b"at most 40 characters" in page.content for page in pages] == [True, True]
    path = f"/admin/shop/order/{kept[0].pk}/change/"
    sent = filled(client, path, name="Eve", _save="Save")
    answers = [client.post(path, sent) for _ in range(2)]
    assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
    shown = [
        b"was changed successfully" in client.get(answers[0]["Location"]).content for _ in "ab"
    ]
    assert shown == [True, False]
    chosen = {"action": "delete_selected", "_selected_action": [kept[1].pk, kept[2].pk]}
    asked = client.post("/admin/shop/order/", {**tokens_of(client, "/admin/shop/order/"), **chosen})
    assert (asked.status_code, names()) == (200, ["Eve", "Bob", "Cid"])
    yes = {**tokens(asked.content.decode()), **chosen, "post": "yes"}
    gone = [client.post("/admin/shop/order/", yes) for _ in range(2)]
    assert ({a.status_code for a in gone}, names()) == ({303}, ["Eve"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT action_flag, count(*) FROM django_admin_log GROUP BY 1 ORDER BY 1")
        assert cursor.fetchall() == [(2, 1), (3, 2)]


def tokens_of(client: Client, path: str) -> dict[str, str]:
    """The hidden fields of the form with our token."""
    text = client.get(path).content.decode()
    return tokens(text[text.index('id="changelist-form"') :])


# on_commit, savepoints ----------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_hooks_of_what_was_taken_back_never_run() -> None:
    """`on_commit` of a submission that was undone, or of an inner block that was: nothing."""
    ran: list[str] = []

    def hooks() -> None:
        transaction.on_commit(lambda: ran.append("outer"))
        try:
            with transaction.atomic():
                transaction.on_commit(lambda: ran.append("inner"))
                _ = 1 / 0
        except ZeroDivisionError:
            pass

    client = Client(raise_request_exception=False)
    sent = filled(client, "/during/", name="Ann")
    views.DURING.extend([lambda: 1 / 0, hooks])
    assert client.post("/during/", sent).status_code == 500
    views.DURING.clear()
    assert (ran, names()) == ([], [])
    views.DURING.append(hooks)
    assert client.post("/during/", sent).status_code == 303
    assert client.post("/during/", sent).status_code == 303
    assert (ran, names()) == (["outer"], ["Ann"])


# Several databases --------------------------------------------------------------------------


@pytest.fixture
def other(database: Path, tmp_path: Path) -> Iterator[Path]:
    """A second database, with the tables of every app, under the alias "other"."""
    path = tmp_path / "other.db"
    settings = {**connections.settings["default"], "NAME": str(path)}
    connections.settings["other"] = settings
    connections.databases["other"] = settings
    call_command("migrate", database="other", run_syncdb=True, verbosity=0)
    assert database != path
    yield path
    connections["other"].close()
    del connections["other"]
    del connections.settings["other"]


def test_the_ledger_stands_in_the_default_database(other: Path) -> None:
    """`migrate --database other` makes no table of ours there, and no form writes one."""
    client = Client()
    sent = filled(client, "/elsewhere/", name="Ann")
    answers = [client.post("/elsewhere/", sent) for _ in range(2)]
    assert {a.status_code for a in answers} == {303}
    assert (names(), names("other")) == (["Ann"], ["Ann"])
    with connections["other"].cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'so\\_%' ESCAPE '\\'")
        assert cursor.fetchall() == []
    call_command("migrate", "seeother", "zero", database="other", verbosity=0)
    assert other.exists()


def test_another_database_commits_for_itself(other: Path) -> None:
    """What was committed there before the view raised stays, what was not goes: docs/django.md."""
    client = Client(raise_request_exception=False)
    for name, left in (("inside", []), ("after", ["after"])):
        views.SENT.append("raise")
        sent = filled(client, "/elsewhere/", name=name)
        before = names("other")
        assert client.post("/elsewhere/", sent).status_code == 500
        assert names("other")[len(before) :] == left
        assert client.post("/elsewhere/", sent).status_code == 303
    assert names() == ["inside", "after"]
    assert names("other") == ["inside", "after", "after"]
    assert other.exists()


class ToOther:
    """A router: the shop's tables are read and written elsewhere."""

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        """Where it reads."""
        return "other" if model._meta.app_label == "shop" else None

    db_for_write = db_for_read


def test_a_router_does_not_move_the_ledger(other: Path) -> None:
    """Reads and writes of an app go to another database: the ledger stays, a form runs once."""
    with override_settings(DATABASE_ROUTERS=[ToOther()]):
        client = Client()
        sent = filled(client, "/", name="Ann")
        assert [client.post("/", sent).status_code for _ in range(2)] == [303, 303]
    assert (names(), names("other")) == ([], ["Ann"])
    assert other.exists()


def test_atomic_requests_of_the_other_database(other: Path) -> None:
    """There ATOMIC_REQUESTS makes the view's work on it one transaction as well."""
    connections["other"].settings_dict["ATOMIC_REQUESTS"] = True
    client = Client(raise_request_exception=False)
    views.SENT.append("raise")
    sent = filled(client, "/elsewhere/", name="Ann")
    assert client.post("/elsewhere/", sent).status_code == 500
    assert (names(), names("other")) == ([], [])
    assert client.post("/elsewhere/", sent).status_code == 303
    assert (names(), names("other")) == (["Ann"], ["Ann"])
    assert other.exists()


# Django's own test cases --------------------------------------------------------------------


class Prepared:
    """A database for the class; pytest has none for Django's test cases."""

    @classmethod
    def setUpClass(cls) -> None:
        """Before Django opens anything."""
        case: Any = cls
        folder = case.enterClassContext(TemporaryDirectory())
        use_database(Path(folder) / "project.db")
        migrate()
        super().setUpClass()  # type: ignore[misc]
        case.addClassCleanup(connections.close_all)


class TestInATestCase(Prepared, TestCase):
    """Everything is rolled back after each test: rows, ledger, sessions, users."""

    @classmethod
    def setUpTestData(cls) -> None:
        """What all tests of the class begin with."""
        Order.objects.create(name="before")

    def test_a_form(self) -> None:
        """A double click is one row; the message is shown; what was posted first counts."""
        sent = filled(self.client, "/", name="Ann")
        answers = [self.client.post("/", sent) for _ in range(2)]
        self.assertRedirects(answers[0], answers[1]["Location"], status_code=303)
        assert names() == ["before", "Ann"]

    def test_a_form_again(self) -> None:
        """The other test left nothing, whichever ran first."""
        self.test_a_form()

    def test_a_view_that_raises(self) -> None:
        """Its savepoint is rolled back; the test's own transaction lives on."""
        self.client.raise_request_exception = False
        views.SENT.append("raise")
        sent = {**filled(self.client, "/raising/", name="Ann"), "raise": "500"}
        assert [self.client.post("/raising/", sent).status_code for _ in range(2)] == [500, 303]
        assert names() == ["before", "Ann"]

    def test_who_is_signed_in(self) -> None:
        """`force_login`, `client.session` and `logout` work as with Django's own engine."""
        self.client.force_login(User.objects.create_superuser("root", password="secret"))
        session = self.client.session
        session["message"] = "prepared"
        session.save()
        assert b"prepared" in self.client.get("/guess/").content
        assert self.client.get("/admin/").status_code == 200
        self.client.logout()
        assert self.client.get("/admin/").status_code == 302


class TestInATransactionTestCase(Prepared, TransactionTestCase):
    """Real commits; afterwards every table of a model is emptied, and the ledger's do no harm."""

    def test_on_commit_is_real(self) -> None:
        """Hooks run after the COMMIT, with no `captureOnCommitCallbacks`; once."""
        sent = filled(self.client, "/hooking/", name="Ann")
        for _ in range(2):
            assert self.client.post("/hooking/", sent).status_code == 303
        assert (views.SENT, names()) == (["Ann False"], ["Ann"])

    def test_two_threads(self) -> None:
        """What a TestCase cannot do: a double click on two connections is one row."""
        sent = filled(self.client, "/", name="Ann")
        answers = together(*[lambda: self.client.post("/", sent)] * 3)
        assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
        assert names() == ["Ann"]

    def test_after_a_flush(self) -> None:
        """`flush` leaves the ledger usable: no row of a test before is in the way of another."""
        for _ in range(2):
            client = Client()
            sent = filled(client, "/", name="Ann")
            assert [client.post("/", sent).status_code for _ in range(2)] == [303, 303]
            assert names() == ["Ann"]
            call_command("flush", interactive=False, verbosity=0)
            assert names() == []


# A project in one process after another -----------------------------------------------------


def test_a_copied_database_goes_on(database: Path, tmp_path: Path) -> None:
    """A backup knows what was done before it: the same form is not run again on the copy."""
    client = Client()
    sent = filled(client, "/", name="Ann")
    first = client.post("/", sent)
    connections.close_all()
    copy = tmp_path / "copy.db"
    shutil.copy(database, copy)
    use_database(copy)
    assert client.post("/", sent)["Location"] == first["Location"]
    assert names() == ["Ann"]
