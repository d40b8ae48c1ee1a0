"""Two people, one browser: what is kept for one is not the other's (security rules 4, 5)."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, redirect, request, session
from flask.testing import FlaskClient
from werkzeug.test import Client

from seeother.core.cookie import cookie_names
from seeother.flask import SeeOther, see_other, visit_of
from seeother.wsgi import SeeOther as Around
from tests.adapters.flask_shop import Shop
from tests.adapters.flask_site import new_app, together

KEY = "a key that is long enough for everybody here"
BROWSER = {"Sec-Fetch-Site": "same-origin"}
FORM = b'<form method="post"><input name="note"></form>'


def token(page: Any) -> str:
    """The token of a page's form."""
    found = re.search(r'name="so_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


# Zero-code ----------------------------------------------------------------------------------


def notes(environ: Any, start_response: Any) -> list[bytes]:
    """An app behind a proxy that signs people in: an empty note is rejected, else a cookie."""
    visit = environ["seeother"]
    if environ["REQUEST_METHOD"] == "POST":
        if visit.form["note"]:
            answer = [("Location", "/"), ("Set-Cookie", "last=" + visit.form["note"])]
            start_response("303 See Other", answer)
            return [b""]
        made = visit.see_other("/", draft={"note": f"Empty, {visit.form['typed']}."})
        start_response("303 See Other", [(k.decode(), v.decode()) for k, v in made.headers])
        return [made.body]
    start_response("200 OK", [("Content-Type", "text/html")])
    draft = visit.draft
    return [FORM, b"" if draft is None else draft.error("note").encode()]


@pytest.fixture
def behind(tmp_path: Path) -> Client:
    """A browser in front of it."""
    store = f"sqlite:///{tmp_path / 'notes.db'}"
    return Client(Around(notes, secret=KEY, store=store, identity_headers=["X-Remote-User"]))


@pytest.mark.parametrize(
    ("mine", "theirs", "seen"),
    [
        ({"X-Remote-User": "ann"}, {"X-Remote-User": "ann"}, True),
        ({"X-Remote-User": "ann"}, {"X-Remote-User": "bob"}, False),
        ({"X-Remote-User": "ann"}, {}, False),
        ({}, {"X-Remote-User": "ann"}, True),
        ({"Authorization": "Basic YTpi"}, {"Authorization": "Basic YTpi"}, True),
        ({"Authorization": "Basic YTpi"}, {"Authorization": "Basic Yzpk"}, False),
        ({"X-Other": "ann"}, {"X-Other": "bob"}, True),
        ({"X-Remote-User": "ann"}, {"X-Remote-User": ""}, False),
    ],
    ids=[
        "same",
        "other",
        "gone",
        "signed in since",
        "basic",
        "other basic",
        "no identity",
        "empty",
    ],
)
def test_a_draft_is_for_who_typed_it(
    behind: Client, mine: dict[str, str], theirs: dict[str, str], seen: bool
) -> None:
    """The same person finds it again; another one does not; what nobody typed survives a login."""
    sent = {"so_token": token(behind.get("/", headers=mine)), "note": "", "typed": "dear diary"}
    answer = behind.post("/?so", data=sent, headers={**BROWSER, **mine})
    assert (answer.status_code, "so=" in answer.location) == (303, True)
    assert ("dear diary" in behind.get(answer.location, headers=theirs).text) is seen
    assert "dear diary" in behind.get(answer.location, headers=mine).text


@pytest.mark.parametrize(("again", "told"), [("ann", True), ("bob", False)])
def test_a_replayed_cookie_is_for_who_was_signed_in(behind: Client, again: str, told: bool) -> None:
    """The duplicate of another person gets the redirect, and no cookie of the first."""
    sent = {"so_token": token(behind.get("/")), "note": "tea"}
    first = behind.post("/?so", data=sent, headers={**BROWSER, "X-Remote-User": "ann"})
    assert "last=tea" in first.headers.getlist("Set-Cookie")
    behind.delete_cookie("last")
    second = behind.post("/?so", data=sent, headers={**BROWSER, "X-Remote-User": again})
    assert (second.status_code, second.location) == (303, first.location)
    assert ("last=tea" in second.headers.getlist("Set-Cookie")) is told


def test_identity_decides(tmp_path: Path) -> None:
    """`identity=` is asked with the visit, once for a draft and never for a page without one."""
    asked: list[str] = []

    def identity(visit: Any) -> str | None:
        asked.append(visit.greeting.request.path)
        found: str | None = visit.session.get("user")
        return found

    store = f"sqlite:///{tmp_path / 'notes.db'}"
    browser = Client(Around(notes, secret=KEY, store=store, identity=identity))
    sent = {"so_token": token(browser.get("/")), "note": "", "typed": "dear diary"}
    assert asked == []
    answer = browser.post("/?so", data=sent, headers=BROWSER)
    assert asked == ["/"]
    assert "dear diary" in browser.get(answer.location).text
    assert asked == ["/"] * 2


# Flask --------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Who is signed in stands in the session; sign-out is said to seeother by hand."""
    app = new_app(tmp_path)
    SeeOther(app, identity=lambda _visit: session.get("user"))

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        if request.method == "POST":
            return see_other("index", draft={"note": "What now?"})
        draft = visit_of().draft
        return (
            f"{FORM.decode()}{'' if draft is None else draft.old('note')}{get_flashed_messages()}"
        )

    @app.post("/say")
    def say() -> Any:
        flash(f"Saved for {session['user']}.")
        return redirect("/")

    @app.post("/in/<name>")
    def sign_in(name: str) -> Any:
        session["user"] = name
        return redirect("/")

    @app.post("/out")
    def sign_out() -> Any:
        session.clear()
        visit_of().renew()
        flash("Goodbye.")
        return redirect("/")

    return app


def give(client: FlaskClient, text: str) -> str:
    """A note that is rejected; where its draft waits."""
    answer = client.post("/", data={"so_token": token(client.get("/")), "note": text})
    return str(answer.location)


def as_(client: FlaskClient, name: str) -> None:
    """Sign in."""
    client.post(f"/in/{name}", data={"so_token": token(client.get("/"))})


def visit_cookie(client: FlaskClient) -> str:
    """The name of the visitor cookie."""
    policy = client.application.extensions["seeother"].settings.policy
    return cookie_names(policy.ring.tag, False, policy.cookie_name).visitor


def copied(client: FlaskClient) -> FlaskClient:
    """Another connection of the same browser: what it is sent, the other one has not seen yet."""
    twin = client.application.test_client()
    for name in ("session", visit_cookie(client)):
        found = client.get_cookie(name)
        if found is not None:
            twin.set_cookie(name, found.value)
    return twin


def cookies(answer: Any) -> dict[str, str]:
    """What an answer sets, by name."""
    lines = (line.partition(";")[0] for line in answer.headers.getlist("Set-Cookie"))
    return dict(line.split("=", 1) for line in lines)


def test_a_draft_of_one_user_is_not_the_others(app: Flask) -> None:
    """One browser, no sign-out in between: the URL of the draft shows nothing to the other."""
    client = app.test_client()
    before = give(client, "of nobody")
    as_(client, "ann")
    assert "of nobody" in client.get(before).text
    anns = give(client, "of ann")
    assert "of ann" in client.get(anns).text
    as_(client, "bob")
    assert "of ann" not in client.get(anns).text
    assert "of nobody" in client.get(before).text


def test_after_a_sign_out_nothing_waits(app: Flask) -> None:
    """A message of the one who has gone is nobody's; "Goodbye." is shown; old tabs are asked."""
    client = app.test_client()
    as_(client, "ann")
    tab = token(client.get("/"))
    said = client.post("/say", data={"so_token": token(client.get("/"))}).location
    sent = {"so_token": token(client.get("/"))}
    gone, twice = together(2, lambda _: copied(client).post("/out", data=sent))
    assert gone.location == twice.location
    assert cookies(gone) == cookies(twice)
    for name, value in cookies(gone).items():
        client.set_cookie(name, value) if value else client.delete_cookie(name)
    assert "Goodbye." in client.get(gone.location).text
    assert "Saved for" not in client.get(said).text + client.get("/").text
    stale = client.post("/", data={"so_token": tab, "note": "typed in the old tab"})
    assert (stale.status_code, "typed in the old tab" in stale.text) == (400, True)
    assert client.post("/", data={"so_token": token(stale), "note": "x"}).status_code == 303


@pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])
def test_with_a_database_of_its_own(tmp_path: Path, once: bool) -> None:
    """Joined and hooked: sign-out makes a new visitor, if its transaction stands, and else not."""
    shop, failing = Shop(tmp_path), [True]

    def sign_out() -> Any:
        visit_of().renew()
        shop.add("sign-out")
        if failing:
            failing.pop()
            raise RuntimeError
        shop.db.session.commit()
        flash("Goodbye.")
        return redirect("/")

    shop.view(sign_out, once=once)

    @shop.app.post("/say")
    def say() -> Any:
        flash("Hers.")
        return redirect("/")

    client = shop.app.test_client()
    form = {"so_token": token(client.get("/")), "name": "x"}
    name = visit_cookie(client)
    hers = client.get_cookie(name)
    said = client.post("/say", data=form).location
    assert client.post("/", data=form).status_code == 500
    assert client.get_cookie(name) == hers
    gone = client.post("/", data=form)
    assert client.get_cookie(name) != hers
    assert "Goodbye." in client.get(gone.location).text
    assert "Hers." not in client.get(said).text
    assert shop.names() == ["sign-out"]
    with shop.app.app_context():
        shop.db.engine.dispose()


def test_a_double_clicked_sign_in_keeps_its_session(app: Flask) -> None:
    """The answer that the browser threw away is given again, session and all; once gone, not."""
    client = app.test_client()
    sent = {"so_token": token(client.get("/"))}
    client.post("/in/ann", data=sent)
    client.delete_cookie("session")
    client.post("/in/ann", data=sent)
    with client.session_transaction() as found:
        assert found["user"] == "ann"
    client.post("/out", data={"so_token": token(client.get("/"))})
    client.post("/in/ann", data=sent)
    with client.session_transaction() as found:
        assert "user" not in found
