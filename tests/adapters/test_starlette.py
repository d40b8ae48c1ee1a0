"""Starlette and FastAPI: the whole contract inside their own apps, and the verbs as they go."""

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from fastapi import Depends, FastAPI, Form
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy import create_engine, text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.testclient import TestClient

from seeother.core.policy import Mode
from seeother.errors import PolicyError
from seeother.starlette import (
    SeeOtherMiddleware,
    context,
    flash,
    flashes,
    invalid_form,
    once,
    repeat,
    see_other,
    visit_of,
)
from seeother.testing.adapter import (
    AdapterContract,
    ASGIClient,
    Browser,
    Stage,
    WrappingContract,
)
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.stage import SECRET
from seeother.testing.lint import ASGILint
from seeother.visit import Visit
from tests.adapters.stages import ASGIStage

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
POST_FORM = '<form method="post"><input name="message"><button>Post</button></form>'


# The contract, with the framework's own app around the behaviour ---------------------------------


class StarletteContract(WrappingContract):
    """A Starlette app with our middleware among its own."""

    def client(self, stage: Stage) -> ASGIClient:
        """The stage as the only route of an app."""
        layers = [Middleware(SeeOtherMiddleware, **stage.settings)] * stage.layers
        app = Starlette(middleware=layers)
        app.router.default = ASGIStage(stage)
        return ASGIClient(ASGILint(app))


class TestStarletteJoined(StarletteContract):
    """Every promise in mode joined."""


class TestStarletteSeparate(StarletteContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


class FastAPIContract(AdapterContract):
    """The same in FastAPI."""

    def client(self, stage: Stage) -> ASGIClient:
        """The stage as the only route of an app."""
        app = FastAPI(openapi_url=None)
        for _ in range(stage.layers):
            app.add_middleware(SeeOtherMiddleware, **stage.settings)
        app.router.default = ASGIStage(stage)
        return ASGIClient(ASGILint(app))


class TestFastAPIJoined(FastAPIContract):
    """Every promise in mode joined."""


class TestFastAPISeparate(FastAPIContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


# The verbs ----------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An SQLite file with one table of effects."""
    path = tmp_path / "shop.db"
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(text("CREATE TABLE effect(text TEXT)"))
    return path


def rows(path: Path) -> list[str]:
    """What was stored, counted in the database."""
    with create_engine(f"sqlite:///{path}").connect() as connection:
        return list(connection.execute(text("SELECT text FROM effect")).scalars())


OPEN: list[ASGIClient] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every server that a test started is shut down after it."""
    yield
    while OPEN:
        OPEN.pop().close()


def browsing(app: Any) -> Browser:
    """A browser in front of an app."""
    OPEN.append(ASGIClient(app))
    return Browser(OPEN[-1])


def shop(database: Path, post: Callable[..., Any], **policy: Any) -> Browser:
    """A board of one route, and a browser that has seen it."""

    async def index(request: Request) -> Response:
        said = "".join(f"<p>{one.category}: {one.text}</p>" for one in flashes(request))
        name = request.session.get("name", "")
        return HTMLResponse(f"{said}<i>{name}</i>{POST_FORM}")

    app = Starlette(
        routes=[Route("/", index), Route("/", post, methods=["POST"])],
        middleware=[
            Middleware(
                SeeOtherMiddleware,
                **{"secret": SECRET, "store": f"sqlite:///{database}", **policy},
            )
        ],
    )
    return browsing(app)


def store(database: Path, message: str) -> None:
    """The effect of a view that knows nothing of `once`."""
    with create_engine(f"sqlite:///{database}").begin() as connection:
        connection.execute(text("INSERT INTO effect VALUES(:text)"), {"text": message})


@pytest.mark.parametrize("plain", [False, True], ids=["async", "plain function"])
def test_a_form_of_an_unchanged_view_counts_once(database: Path, plain: bool) -> None:
    """Sent twice, stored once (separate); the message is shown once, the session is kept."""

    async def post(request: Request) -> Response:
        form = await request.form()
        store(database, str(form["message"]))
        request.session["name"] = "Ann"
        flash(request, "Thank you.", "success")
        return RedirectResponse("/")  # 307 by default: the browser would post again

    def post_plainly(request: Request) -> Response:
        store(database, visit_of(request).form["message"])
        visit_of(request).session["name"] = "Ann"
        return see_other("/", flash=("Thank you.", "success"))

    browser = shop(database, post_plainly if plain else post)
    sent = {"message": "tea", "so_token": token(browser.get())}
    first, again = browser.post(sent), browser.post(sent)
    assert (first.status, again.status, first.location) == (303, 303, again.location)
    assert rows(database) == ["tea"]
    landed = browser.follow(first)
    assert "<p>success: Thank you.</p><i>Ann</i>" in landed.text
    assert "<p>" not in browser.get().text


def test_once_is_joined_or_fenced(database: Path) -> None:
    """Effect, answer, message and session are one transaction; a view that raises leaves none."""
    engine = create_engine(f"sqlite:///{database}")

    def save(connection: Any, visit: Visit) -> Any:
        connection.execute(
            text("INSERT INTO effect VALUES(:text)"), {"text": visit.form["message"]}
        )
        if visit.form["message"] == "bad":
            raise LookupError("after the insert")
        visit.session["name"] = "Ann"
        return visit.see_other("/", flash="Thank you.")

    async def post(request: Request) -> Response:
        return await once(request, engine, save)

    for mode in ("joined", "fenced", None):
        browser = shop(database, post, mode=mode, namespace=str(mode))
        page = browser.get()
        assert browser.post({"message": "bad", "so_token": token(page)}).status == 500
        sent = {"message": f"tea {mode}", "so_token": token(page)}
        assert browser.post(sent).location == browser.post(sent).location
        assert "<i>Ann</i>" in browser.get().text
    assert rows(database) == ["tea joined", "tea fenced", "tea None"]


@pytest.mark.parametrize("mode", ["joined", "fenced"])
def test_once_knows_what_its_endpoint_knows(database: Path, mode: str) -> None:
    """The function runs on another thread with the endpoint's context: `see_other` works there."""
    engine, who = create_engine(f"sqlite:///{database}"), ContextVar[str]("who")

    def save(connection: Any, _visit: Visit) -> Any:
        connection.execute(text("INSERT INTO effect VALUES(:text)"), {"text": who.get()})
        return see_other("/", flash="Thank you.")

    async def post(request: Request) -> Response:
        who.set("Ann")
        return await once(request, engine, save)

    browser = shop(database, post, mode=mode)
    answer = browser.post({"message": "tea", "so_token": token(browser.get())})
    assert "Thank you." in browser.follow(answer).text
    assert rows(database) == ["Ann"]


def test_rejected_input_comes_back(database: Path) -> None:
    """`see_other(draft=...)` and the context processor: what was typed, and what is wrong."""

    async def index(request: Request) -> Response:
        shown = context(request)
        about = [shown["old"]("message"), shown["error"]("message"), shown["errors"]()]
        return HTMLResponse(json.dumps(about) + POST_FORM)

    async def post(_request: Request) -> Response:
        return see_other("/", draft={"message": "Too short."})

    app = Starlette(routes=[Route("/", index), Route("/", post, methods=["POST"])])
    app.add_middleware(SeeOtherMiddleware, secret=SECRET, store=f"sqlite:///{database}")
    browser = browsing(app)
    answer = browser.submit({"message": "a <b>"})
    for _ in range(2):  # a reload keeps it
        shown = browser.follow(answer).text.partition("<form")[0]
        assert json.loads(shown) == ["a <b>", "Too short.", {"message": "Too short."}]
    assert json.loads(browser.get().text.partition("<form")[0]) == ["", "", {}]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: RedirectResponse("/"), 303),
        (lambda: RedirectResponse("/", 302), 303),
        (lambda: RedirectResponse("/", 308), 308),
        (lambda: repeat("/"), 307),
        (lambda: repeat("/", permanent=True), 308),
    ],
    ids=["default", "302", "308", "repeat", "permanent"],
)
def test_redirects_of_forms(database: Path, answer: Callable[[], Response], status: int) -> None:
    """A redirect after a form is 303, and repeats it only where that was asked for."""

    async def post(_request: Request) -> Response:
        return answer()

    assert shop(database, post).submit({"message": "a"}).status == status


@pytest.mark.parametrize("slash", ["/items", "/items/"])
def test_redirects_of_an_api_stay(database: Path, slash: str) -> None:
    """JSON that was sent to an address with a slash too many or too few is sent on as it is."""
    app = FastAPI()
    other = slash.rstrip("/") if slash.endswith("/") else slash + "/"

    @app.post(slash)
    def items(body: dict[str, int]) -> dict[str, int]:
        return body

    app.add_middleware(SeeOtherMiddleware, secret=SECRET, store=f"sqlite:///{database}")
    with TestClient(app, follow_redirects=False) as client:
        assert client.post(slash, json={"a": 1}).json() == {"a": 1}
        sent = client.post(other, json={"a": 1})
    assert (sent.status_code, sent.headers["location"]) == (307, f"http://testserver{slash}")


def test_outside_of_a_request() -> None:
    """The error names what is missing."""
    with pytest.raises(PolicyError, match="put SeeOtherMiddleware around the app"):
        see_other("/")


# FastAPI ------------------------------------------------------------------------------------------


class Order(BaseModel):
    """What a form has to say."""

    tea: str = Field(min_length=2)
    cups: int


@pytest.fixture
def api(database: Path) -> FastAPI:
    """An app that takes an order as a form, and as JSON."""
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    def index(request: Request, visit: Annotated[Visit, Depends(visit_of)]) -> str:
        shown = context(request)
        said = "".join(f"<p>{one.text}</p>" for one in visit.flashes())
        wrong = "|".join([shown["old"]("cups"), shown["error"]("cups"), shown["error"]("tea")])
        form = '<form method="post" action="/order"><input name="tea"><input name="cups"></form>'
        return said + wrong + form

    @app.post("/order")
    def order(wanted: Annotated[Order, Form()]) -> Response:
        store(database, f"{wanted.cups} {wanted.tea}")
        return see_other("/", flash="Ordered.")

    @app.post("/api")
    def api_order(wanted: Order) -> dict[str, int]:
        return {"cups": wanted.cups}

    app.add_exception_handler(RequestValidationError, invalid_form)
    app.add_middleware(SeeOtherMiddleware, secret=SECRET, store=f"sqlite:///{database}")
    return app


def test_pydantic_errors_stand_beside_the_fields(api: FastAPI, database: Path) -> None:
    """A form that does not validate goes back to its page with everything that was typed."""
    browser = browsing(api)
    page = browser.get()
    sent = {"tea": "x", "cups": "many", "so_token": token(page)}
    answer = browser.post(sent, "/order", referer=f"{browser.origin}/")
    assert answer.status == 303
    shown = browser.follow(answer).text
    assert shown.startswith("many|Input should be a valid integer")
    assert "String should have at least 2 characters" in shown
    assert rows(database) == []
    good = browser.post({**sent, "tea": "oolong", "cups": "2"}, "/order")
    assert "<p>Ordered.</p>" in browser.follow(good).text
    assert rows(database) == ["2 oolong"]


def test_an_api_gets_json(api: FastAPI) -> None:
    """What is no form of a page gets FastAPI's answer."""
    with TestClient(api) as client:
        answer = client.post("/api", json={"tea": "x", "cups": 1})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "tea"]
