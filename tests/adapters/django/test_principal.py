"""Two users of one browser in a Django project (security rules 4 and 5)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import AsyncClient, Client, override_settings

from tests.adapters.django.project import filled, saying, together, tokens


@pytest.fixture(autouse=True)
def _users(database: Path) -> None:
    assert database.exists()
    for name in ("ann", "bob"):
        User.objects.create_superuser(name, password="secret")


def sign_in(client: Client, name: str) -> Any:
    """By the admin's own form."""
    sent = filled(client, "/admin/login/", username=name, password="secret")
    return client.post("/admin/login/?next=/done/", sent)


def sign_out(client: Client) -> Any:
    """By the admin's own form."""
    return client.post("/admin/logout/", tokens(client.get("/admin/").content.decode()))


def give(client: Client, text: str) -> str:
    """Something that is rejected; where its draft waits."""
    answer = client.post("/tagged/", filled(client, "/tagged/", name=text))
    assert answer.status_code == 303
    return str(answer["Location"])


def test_a_draft_is_for_who_typed_it() -> None:
    """Of nobody: it survives a sign-in. Of Ann: not Bob's, and nobody's after her sign-out."""
    client = Client()
    before = give(client, "of nobody")
    sign_in(client, "ann")
    assert b"of nobody" in client.get(before).content
    anns = give(client, "of ann")
    assert b"of ann" in client.get(anns).content
    visitor = {n: m.value for n, m in client.cookies.items() if n.startswith("so-")}
    sign_out(client)
    assert b"of ann" not in client.get(anns).content
    sign_in(client, "bob")
    for name, value in visitor.items():  # also for who has kept a copy of the visitor cookie
        client.cookies[name] = value
    assert b"of ann" not in client.get(anns).content
    assert b"of nobody" in client.get(before).content


def test_messages_go_with_who_signed_out() -> None:
    """A message that still waits is shown to nobody; the next user finds none."""
    client = Client()
    sign_in(client, "ann")
    said = client.post("/", filled(client, "/", name="Ann's order"))["Location"]
    sign_out(client)
    sign_in(client, "bob")
    assert b"Ann&#x27;s order" not in client.get(said).content + client.get("/done/").content


@pytest.mark.parametrize(
    "engine",
    [
        "seeother.django.sessions",
        "django.contrib.sessions.backends.db",
        "django.contrib.sessions.backends.signed_cookies",
    ],
)
def test_another_user_without_a_sign_out(engine: str) -> None:
    """`login()` over somebody else's session: another visitor, too; the same user again: not."""
    with override_settings(SESSION_ENGINE=engine):
        client = Client()
        sign_in(client, "ann")
        (name,) = [n for n in client.cookies if n.startswith("so-") and "-h-" not in n]
        anns = client.cookies[name].value
        sign_in(client, "ann")
        assert client.cookies[name].value == anns
        sign_in(client, "bob")
        assert client.cookies[name].value != anns


def test_a_double_clicked_sign_in_keeps_its_session() -> None:
    """The answer that the browser threw away is given again; after a sign-out it is not."""
    client = Client()
    sent = filled(client, "/admin/login/", username="ann", password="secret")
    csrf = client.cookies["csrftoken"].value
    client.post("/admin/login/?next=/done/", sent)
    del client.cookies["sessionid"]
    client.cookies["csrftoken"] = csrf
    again = client.post("/admin/login/?next=/done/", sent)
    assert again.status_code == 303
    assert again.cookies["sessionid"]["httponly"] and again.cookies["sessionid"]["max-age"]
    assert client.get("/admin/").status_code == 200
    sign_out(client)
    client.post("/admin/login/?next=/done/", sent)
    assert client.get("/admin/").status_code == 302


def test_pages_without_a_draft_load_no_session() -> None:
    """Neither a page nor a submission asks who is signed in: no session, no user, no query."""
    client = Client()
    sign_in(client, "ann")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seeother.django.visits.DjangoVisit._user", lambda _self: 1 / 0)
        page = client.get("/tagged/")
        assert page.status_code == 200
        assert not page.wsgi_request.session.accessed
        assert client.post("/", filled(client, "/", name="tea")).status_code == 303


def test_an_async_view_binds_to_its_session() -> None:
    """Where `request.user` may not be loaded the session's cookie stands for him."""

    async def work() -> list[bool]:
        ann = AsyncClient()
        await sync_to_async(ann.force_login)(User(pk=1, username="ann"))
        form = tokens((await ann.get("/atagged/")).content.decode())
        answer = await ann.post("/atagged/", {**form, "name": "of ann"})
        mine = await ann.get(answer["Location"])
        await sync_to_async(ann.force_login)(User(pk=2, username="bob"))
        theirs = await ann.get(answer["Location"])
        await sync_to_async(connections.close_all)()
        return [b"of ann" in page.content for page in (mine, theirs)]

    assert together(lambda: asyncio.run(work())) == [[True, False]]


def test_identity_decides() -> None:
    """A project whose people are not in `request.user` says who they are, once for each draft."""
    asked: list[str] = []

    def identity(visit: Any) -> str | None:
        asked.append(visit.request.path)
        found: str | None = visit.session.get("member")
        return found

    client = Client()
    with saying(identity=identity):
        client.get("/done/")
        session = client.session
        session["member"] = "eve"
        session.save()
        eves = give(client, "of eve")
        assert asked == ["/tagged/"]
        assert b"of eve" in client.get(eves).content
        session["member"] = "mallory"
        session.save()
        assert b"of eve" not in client.get(eves).content


def test_a_proxy_that_signs_in() -> None:
    """`identity_headers` is heard where nobody is signed in to Django."""
    client = Client()
    with saying(identity_headers=["X-Remote-User"]):
        sent = filled(client, "/tagged/", name="of ann")
        answer = client.post("/tagged/", sent, headers={"x-remote-user": "ann"})
        seen = [
            b"of ann" in client.get(answer["Location"], headers={"x-remote-user": who}).content
            for who in ("ann", "bob", "")
        ]
    assert seen == [True, False, False]
