"""What stands around a Django project: an ASGI router in front, replicas behind, files, signals."""

import shutil
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.signals import got_request_exception, request_finished, request_started
from django.db import connections
from django.dispatch import Signal
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path

from seeother.django.sessions import SessionStore
from seeother.testing.adapter import ASGIClient, Browser
from seeother.testing.adapter.asgi import ASGIStream
from seeother.testing.adapter.harness import together
from seeother.testing.adapter.stage import Ask
from tests.adapters.django.project import filled, tokens
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order


def names(alias: str = "default") -> list[str]:
    """What was ordered."""
    return list(Order.objects.using(alias).order_by("pk").values_list("name", flat=True))


# A router in front, as with Channels --------------------------------------------------------------


class Router:
    """`ProtocolTypeRouter` and `URLRouter`: by the kind of a connection, then by its path.

    It goes before Django with `root_path` as it is, and copies the scope, as Channels does.
    """

    def __init__(self) -> None:
        self.http = get_asgi_application()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await hear({**scope, "url_route": {"kwargs": {}}}, receive, send)
        elif scope["type"] == "http":
            await self.http({**scope, "router": "ours"}, receive, send)
        # no lifespan: Django's own application knows none


async def hear(scope: Any, receive: Any, send: Any) -> None:
    """A consumer that says who connects, by the session that the cookie names."""
    assert (await receive())["type"] == "websocket.connect"
    lines = [value.decode() for key, value in scope["headers"] if key == b"cookie"]
    cookie = SimpleCookie("; ".join(lines)).get("sessionid")
    session = SessionStore(cookie.value if cookie else None)
    seen = await sync_to_async(session.get)("seen")
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": str(seen)})
    await send({"type": "websocket.close", "code": 1000})


class Front(ASGIClient):
    """A server for the router; Django's connections are closed at its end."""

    def __init__(self) -> None:
        self._streams: list[ASGIStream] = []
        super().__init__(Router())

    def start(self, ask: Ask) -> ASGIStream:
        """Remember what was started."""
        self._streams.append(super().start(ask))
        return self._streams[-1]

    def close(self) -> None:
        """Every call ends on its loop, and so do the connections."""
        for stream in self._streams:
            stream.close()
            stream.finished()
        self.run(sync_to_async(connections.close_all)()).result(30)
        super().close()

    def socket(self, cookies: dict[str, str]) -> list[Any]:
        """What a websocket with these cookies hears."""
        said: list[Any] = []
        cookie = "; ".join(f"{k}={v}" for k, v in cookies.items()).encode()
        scope = {"type": "websocket", "path": "/ws", "headers": [(b"cookie", cookie)]}

        async def connect() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            said.append(message)

        async def whole() -> None:
            await Router()(scope, connect, send)

        self.run(whole()).result(30)
        return said


@pytest.fixture
def front(database: Path) -> Iterator[Browser]:
    """A browser in front of the router."""
    assert database.exists()
    with override_settings(ALLOWED_HOSTS=["*"]):
        client = Front()
        yield Browser(client)
        client.close()


@pytest.mark.parametrize("where", ["/during/", "/async/"])
def test_a_form_through_a_router(front: Browser, where: str) -> None:
    """Sent by three threads at once: one order and one answer, for sync and for async views."""
    sent = {**tokens(front.get(where).text), "name": "Ann"}
    answers = together(*[lambda: front.post(sent, where)] * 3)
    assert {(a.status, a.location) for a in answers} == {(303, answers[0].location)}
    assert names() == ["Ann"]


def test_a_websocket_beside_django_finds_the_session(front: Browser) -> None:
    """A consumer opens the engine by the cookie, and sees what a form has written."""
    client = front.client
    assert isinstance(client, Front)
    front.post({**tokens(front.get("/during/").text), "name": "Ann"}, "/during/")
    for cookies, seen in ((front.cookies, "1"), ({}, "None"), ({"sessionid": "x" * 32}, "None")):
        said = client.socket(cookies)
        kinds = [message["type"].partition(".")[2] for message in said]
        assert (kinds, said[1]["text"]) == (["accept", "send", "close"], seen)


# Read replicas ------------------------------------------------------------------------------------


class ToReplica:
    """A router: everything is read from a replica, everything is written to the primary."""

    def db_for_read(self, _model: Any, **_hints: Any) -> str:
        """Where it reads."""
        return "replica"

    def db_for_write(self, _model: Any, **_hints: Any) -> str:
        """Where it writes."""
        return "default"

    def allow_relation(self, *_objects: Any, **_hints: Any) -> bool:
        """They are the same rows."""
        return True


@pytest.fixture
def replica(database: Path, tmp_path: Path) -> Iterator[Path]:
    """A replica that lags for ever: what is written to the primary never arrives."""
    User.objects.create_superuser("root", password="secret")
    connections.close_all()
    copied = tmp_path / "replica.db"
    shutil.copy(database, copied)
    connections.settings["replica"] = {**connections.settings["default"], "NAME": str(copied)}
    with override_settings(DATABASE_ROUTERS=[ToReplica()]):
        yield copied
    connections["replica"].close()
    del connections["replica"]
    del connections.settings["replica"]


def test_a_replica_that_lags_is_never_asked(replica: Path) -> None:
    """Ledger, session and messages are read where they were written: one order, shown at once."""
    before = replica.read_bytes()
    client = Client()
    sent = filled(client, "/", name="Ann")
    answers = [client.post("/", sent) for _ in range(2)]
    assert {(a.status_code, a["Location"]) for a in answers} == {(303, answers[0]["Location"])}
    assert b"Saved Ann." in client.get(answers[0]["Location"]).content
    guess = filled(client, "/guess/", name="1")
    assert client.post("/guess/", guess).status_code == 303
    assert b"Your guess was too low" in client.get("/guess/").content
    client.force_login(User.objects.using("default").get())
    assert client.get("/admin/").status_code == 200
    assert (names(), names("replica")) == (["Ann"], [])
    assert replica.read_bytes() == before


# Files and streams --------------------------------------------------------------------------------


def bill(request: HttpRequest) -> HttpResponseBase:
    """A file as an answer to a form, and by its address."""
    if request.method == "POST":
        Order.objects.create(name=request.POST["name"])
    return FileResponse(Path(__file__).open("rb"), as_attachment=True, filename="bill.txt")


def listing(request: HttpRequest) -> HttpResponseBase:
    """A page in pieces, with a form in it; after a form a stream of text."""
    if request.method == "POST":
        Order.objects.create(name=request.POST["name"])
        return StreamingHttpResponse((f"{n}\n" for n in range(3)), content_type="text/plain")
    half = len(views.PAGE) // 2
    page = '<form method="post"><input name="name"></form>' + " " * half
    return StreamingHttpResponse(iter([page[:10], page[10:]]))


async def alisting(request: HttpRequest) -> HttpResponseBase:
    """The same, from an async view."""
    return await sync_to_async(listing)(request)


FILES = (
    path("", views.order),
    path("done/", views.done, name="done"),
    path("bill/", bill),
    path("listing/", listing),
    path("alisting/", alisting),
)


@pytest.mark.usefixtures("database")
def test_a_file_passes_byte_by_byte() -> None:
    """FileResponse by GET: the app's own headers and bytes, no cookie, no token."""
    with override_settings(ROOT_URLCONF=FILES):
        answer: Any = Client().get("/bill/")
        assert b"".join(answer.streaming_content) == Path(__file__).read_bytes()
    assert answer["Content-Disposition"] == 'attachment; filename="bill.txt"'
    assert answer["Content-Length"] == str(Path(__file__).stat().st_size)
    assert not answer.cookies


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("where", ["/bill/", "/listing/", "/alisting/"])
def test_a_form_that_is_answered_by_a_stream(where: str) -> None:
    """The first click gets the bytes, the second hears that it was done: one order."""
    with override_settings(ROOT_URLCONF=FILES):
        client = Client()
        sent = filled(client, "/", name="Ann")
        first: Any = client.post(where, sent)
        got = b"".join(first.streaming_content)
        again = client.post(where, sent)
    assert got == (Path(__file__).read_bytes() if where == "/bill/" else b"0\n1\n2\n")
    assert (again.status_code, b"already done" in again.content) == (200, True)
    assert names() == ["Ann"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("where", ["/listing/", "/alisting/"])
def test_a_streamed_page_gets_its_token(where: str) -> None:
    """Cut inside of its form's tag: the token that it gets is good for one order."""
    with override_settings(ROOT_URLCONF=FILES):
        client = Client()
        answer: Any = client.get(where)
        text = b"".join(answer.streaming_content).decode()
        sent = {**tokens(text), "name": "Ann"}
        assert "so_token" in sent
        for _ in range(2):
            b"".join(client.post("/", sent))
    assert names() == ["Ann"]


# Signals ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_the_signals_of_a_request() -> None:
    """Started and finished for each request, also for a duplicate; raised where it was, once."""
    heard: list[str] = []
    signals = {
        "started": request_started,
        "ended": request_finished,
        "raised": got_request_exception,
    }
    listeners = [note(name, signal, heard) for name, signal in signals.items()]
    try:
        client = Client(raise_request_exception=False)
        sent = filled(client, "/", name="Ann")
        heard.clear()
        for _ in range(2):
            client.post("/", sent)
        assert heard == ["started", "ended"] * 2
        heard.clear()
        views.SENT.append("raise")
        failing = {**filled(client, "/raising/", name="Bob"), "raise": "500"}
        heard.clear()
        assert client.post("/raising/", failing).status_code == 500
        assert heard == ["started", "raised", "ended"]
    finally:
        views.SENT.clear()
        for name, listener in zip(signals, listeners, strict=True):
            signals[name].disconnect(listener)
    assert names() == ["Ann"]


def note(name: str, signal: Signal, heard: list[str]) -> Any:
    """Write down whenever a signal is sent."""

    def listener(**_about: Any) -> None:
        heard.append(name)

    signal.connect(listener)
    return listener
