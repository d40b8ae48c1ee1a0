"""A Django project whose views know nothing: every form once, and nothing of what failed."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, override_settings

from tests.adapters.django.project import filled, saying, together, tokens
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order

LOCALE = "django.middleware.locale.LocaleMiddleware"
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _nothing_sent() -> Iterator[None]:
    views.SENT.clear()
    yield
    views.SENT.clear()


def names() -> list[str]:
    """What was ordered."""
    return list(Order.objects.order_by("pk").values_list("name", flat=True))


def test_a_double_click_is_one_order() -> None:
    """Four at once, each on a thread: one row, four times the same redirect, one message."""
    client = Client()
    sent = filled(client, "/", name="Ann")
    answers = together(*[lambda: client.post("/", sent)] * 4)
    assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
    assert names() == ["Ann"]
    pages = [client.get(answers[0]["Location"]).content for _ in range(2)]
    assert [b'<p class="success">Saved Ann.</p>' in page for page in pages] == [True, False]


@pytest.mark.parametrize("atomic", [False, True])
def test_atomic_requests_changes_nothing(atomic: bool) -> None:
    """With ATOMIC_REQUESTS the view has a savepoint of its own, and everything is as without."""
    connection.settings_dict["ATOMIC_REQUESTS"] = atomic
    try:
        client = Client()
        sent = filled(client, "/", name="Ann")
        assert [client.post("/", sent).status_code for _ in range(2)] == [303, 303]
        client = Client(raise_request_exception=False)
        sent = {**filled(client, "/raising/", name="Bob"), "raise": "500"}
        views.SENT.append("raise")
        assert [client.post("/raising/", sent).status_code for _ in range(2)] == [500, 303]
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert names() == ["Ann", "Bob"]


@pytest.mark.parametrize(("what", "status"), [("404", 404), ("500", 500)])
def test_a_view_that_raises_after_its_insert(what: str, status: int) -> None:
    """Django makes a page of it; no row, no message, and the same form may be sent again."""
    client = Client(raise_request_exception=False)
    sent = {**filled(client, "/raising/", name="Ann"), "raise": what}
    views.SENT.append("raise")
    assert (client.post("/raising/", sent).status_code, names()) == (status, [])
    assert b"never happened" not in client.get("/done/").content
    assert (client.post("/raising/", sent).status_code, names()) == (303, ["Ann"])


def test_a_rollback_that_was_asked_for() -> None:
    """`set_rollback(True)`: the answer goes out, nothing stays, nothing is recorded."""
    client = Client()
    sent = filled(client, "/doomed/", name="Ann")
    assert [client.post("/doomed/", sent).status_code for _ in range(2)] == [303, 303]
    assert names() == []


def test_on_commit_runs_after_the_commit(caplog: pytest.LogCaptureFixture) -> None:
    """Hooks run once, outside of the transaction; one that raises is logged, the answer stands."""
    client = Client()
    sent = filled(client, "/hooking/", name="Ann")
    assert [client.post("/hooking/", sent).status_code for _ in range(2)] == [303, 303]
    assert (views.SENT, names()) == (["Ann False"], ["Ann"])
    assert "a hook of on_commit raised" in caplog.text


def test_non_atomic_requests_commit_by_themselves() -> None:
    """Such a view has no transaction; a duplicate is not run all the same."""
    client = Client()
    sent = filled(client, "/alone/", name="Ann")
    assert [client.post("/alone/", sent).status_code for _ in range(2)] == [303, 303]
    assert (names(), views.SENT) == (["Ann"], ["atomic: False"] * 2)


def test_a_doubt_of_a_non_atomic_view() -> None:
    """It raised after its commit: nobody runs it blindly, and the text is still there."""
    client = Client(raise_request_exception=False)
    sent = {**filled(client, "/alone/", name="Ann"), "raise": "1"}
    assert client.post("/alone/", sent).status_code == 500
    doubt = client.post("/alone/", sent)
    assert (doubt.status_code, names()) == (500, ["Ann"])
    assert b"cannot tell" in doubt.content and b"Ann" in doubt.content


def test_rejected_input_in_place_is_no_outcome() -> None:
    """A form with errors at status 200 is answered again, never "this was already done"."""
    client = Client()
    sent = filled(client, "/plain/", name="")
    pages = [client.post("/plain/", sent) for _ in range(2)]
    assert [(p.status_code, b"This field is required." in p.content) for p in pages] == [
        (200, True),
        (200, True),
    ]
    assert client.post("/plain/", {**sent, "name": "Ann"}).status_code == 303
    assert names() == ["Ann"]


def test_the_admin_adds_once() -> None:
    """Django's own admin, unchanged: the same add form twice is one object and one log entry."""
    User.objects.create_superuser("root", password="secret")
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "same-origin"})
    login = filled(client, "/admin/login/", username="root", password="secret")
    assert client.post("/admin/login/?next=/admin/", login)["Location"].startswith("/admin/")
    sent = filled(client, "/admin/shop/order/add/", name="Ann", _save="Save")
    answers = [client.post("/admin/shop/order/add/", sent) for _ in range(2)]
    assert {a.status_code for a in answers} == {303}
    landed = client.get(answers[0]["Location"])
    assert b"was added successfully" in landed.content
    assert names() == ["Ann"]


def test_the_guessing_game() -> None:
    """The message goes through the session, is shown once and deleted; each guess counts once."""
    client = Client()
    assert b"Your guess" not in client.get("/guess/").content
    for number, words in [("41", b"too low"), ("43", b"too high"), ("42", b"Congratulations!")]:
        answer = client.post("/guess/", filled(client, "/guess/", name=number))
        assert (answer.status_code, answer.content) == (303, b"")
        shown = [words in client.get(answer["Location"]).content for _ in range(2)]
        assert shown == [True, False]


# What is left out ---------------------------------------------------------------------------------


def test_webhooks_come_from_anywhere() -> None:
    """`csrf_exempt` is honoured: another site may post there, and nowhere else."""
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "cross-site"})
    assert [client.post(path, {"name": "x"}).status_code for path in ("/hook/", "/")] == [200, 403]
    assert names() == ["x"]


def test_an_exempt_view_is_left_alone() -> None:
    """`seeother_exempt`: nothing is read, claimed or refused; two forms are two effects."""
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "cross-site"})
    for _ in range(2):
        assert client.post("/stream/", {"name": "x"}).status_code == 200
    assert len(names()) == 2


def test_wishes_are_heard_behind_a_language() -> None:
    """`csrf_exempt` under `i18n_patterns`: the middleware asks the URLconf in that language."""
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "cross-site"})
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE[:2], LOCALE, *settings.MIDDLEWARE[2:]]):
        assert [client.post(path).status_code for path in ("/de/hook/", "/de/")] == [200, 403]
    assert names() == ["hook"]


@override_settings(CSRF_TRUSTED_ORIGINS=["https://idp.example", "https://*.shop.example"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://idp.example", 303),
        ("https://www.shop.example", 303),
        ("https://shop.example.evil", 403),
        ("http://www.shop.example", 403),
    ],
)
def test_trusted_origins_are_djangos(origin: str, status: int) -> None:
    """Who Django trusts may post here too, with a star or without; nobody else."""
    client = Client(headers={"origin": origin, "sec-fetch-site": "cross-site"})
    assert client.post("/", {"name": "x"}).status_code == status


def test_a_csrf_failure_loses_nothing() -> None:
    """The CSRF cookie is of before a login: everything typed comes back, and then it passes."""
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "same-origin"})
    sent = filled(client, "/", name="Ann's <b>order</b>")
    del client.cookies["csrftoken"]
    again = client.post("/", sent)
    text = again.content.decode()
    assert (again.status_code, names()) == (403, [])
    assert "s &lt;b&gt;order&lt;/b&gt;" in text and "<b>order" not in text
    assert client.post("/", {**tokens(text), "name": "Ann"}).status_code == 303


def test_a_csrf_failure_of_another_site_shows_nothing() -> None:
    """Where the browser does not say that it was our page, nothing comes back."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/", {"name": "typed text"})
    assert (answer.status_code, b"typed text" in answer.content) == (403, False)


def test_our_own_pages_pass_djangos_check() -> None:
    """A token that is no more: the resend page brings both tokens, and the CSRF cookie."""
    client = Client(enforce_csrf_checks=True, headers={"sec-fetch-site": "same-origin"})
    answer = client.post("/", {"name": "Ann", "so_token": "no token of ours"})
    assert answer.status_code == 400 and b"Ann" in answer.content
    sent = {**tokens(answer.content.decode()), "name": "Ann"}
    assert (client.post("/", sent).status_code, names()) == (303, ["Ann"])


def test_an_unknown_host_is_djangos_to_refuse() -> None:
    """ALLOWED_HOSTS decides."""
    assert Client(headers={"host": "evil.example"}).get("/").status_code == 400


def test_a_file_arrives_whole() -> None:
    """3 MiB in a form: the project's own parser and upload handlers get it, once."""
    client = Client()
    sent = filled(client, "/upload/", name="x")
    for _ in range(2):
        file = SimpleUploadedFile("a.bin", bytes(3 << 20))
        assert client.post("/upload/", {**sent, "file": file}).status_code == 303
    assert names() == [f"a.bin {3 << 20} x"]


def test_the_verbs() -> None:
    """`see_other` takes a name, a message and its tag; `repeat` sends the form elsewhere."""
    client = Client()
    answer = client.post("/verbs/", filled(client, "/verbs/", name="Ann"))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (303, "/done/")
    assert b'<p class="warning">Thank you.</p>' in client.get(answer["Location"]).content
    sent = filled(client, "/verbs/", name="repeat")
    answer = client.post("/verbs/", sent)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (307, "/")
    assert [client.post("/", sent).status_code for _ in range(2)] == [303, 303]
    assert names() == ["Ann", "repeat"]


def test_a_target_that_is_elsewhere() -> None:
    """An open redirect is refused with a page of its own, and nothing of the view stays."""
    client = Client()
    answer = client.post("/verbs/", filled(client, "/verbs/", name="evil"))
    assert (answer.status_code, names()) == (400, [])
    assert b"leads somewhere else" in answer.content


def test_mode_separate_for_a_project() -> None:
    """SEEOTHER = {"mode": "separate"}: no view runs in a transaction, each form once."""
    with saying(mode="separate"):
        client = Client()
        sent = filled(client, "/", name="Ann")
        assert [client.post("/", sent).status_code for _ in range(2)] == [303, 303]
    assert names() == ["Ann"]


def test_a_database_without_the_tables() -> None:
    """Not migrated: 503 with everything typed, and for developers what to run."""
    client = Client()
    sent = filled(client, "/", name="Ann")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE so_meta")
    with saying(debug=True):
        answer = client.post("/", sent)
    assert (answer.status_code, b"manage.py migrate" in answer.content) == (503, True)
    assert b"Ann" in answer.content
