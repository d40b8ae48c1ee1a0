"""Flask as its users know it, on seeother: sessions, messages, redirects, settings, templates."""

import datetime as dt
import re
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask, flash, get_flashed_messages, redirect, request, session
from flask.testing import FlaskClient
from markupsafe import Markup

from seeother.errors import PolicyError
from seeother.flask import SeeOther, SeeOtherSessionInterface, repeat, see_other
from tests.adapters.flask_site import new_app, together, visiting

FORM = '<form method="post"><input name="name"></form>'


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An app with nothing in it but SeeOther."""
    app = new_app(tmp_path)
    SeeOther(app)
    return app


@pytest.fixture
def alone(tmp_path: Path) -> Flask:
    """An app that has only the session interface."""
    app = new_app(tmp_path)
    app.session_interface = SeeOtherSessionInterface()
    return app


def tokens(text: str) -> list[str]:
    """The tokens that were planted into a page."""
    return re.findall(r'name="so_token" value="([^"]+)"', text)


def put(**values: Any) -> str:
    """A view's work: change the session."""
    session.update(values)
    return ""


def clear() -> str:
    """A view's work: end the session."""
    session.clear()
    return ""


def look(seen: list[dict[str, Any]]) -> str:
    """A view's work: look at the session."""
    seen.append(dict(session))
    return ""


def rows(app: Flask, sql: str) -> list[Any]:
    """What stands in the default store."""
    with sqlite3.connect(Path(app.instance_path) / "seeother.db") as connection:
        return connection.execute(sql).fetchall()


# Start --------------------------------------------------------------------------------------


def test_it_is_imported_without_the_others() -> None:
    """Flask alone is enough to import the adapter."""
    blocked = ("sqlalchemy", "starlette", "django", "wtforms", "flask_wtf", "flask_sqlalchemy")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked})); import seeother.flask"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_opened_before_the_first_request(tmp_path: Path) -> None:
    """Import, `SeeOther(app)` and a look at the app leave no file behind; a form does."""
    app = new_app(tmp_path / "instance")
    SeeOther(app)
    app.add_url_rule("/", view_func=lambda: redirect("/"), methods=["POST"], endpoint="post")
    assert not (tmp_path / "instance").exists()
    assert app.test_client().post("/", data={"name": "Ann"}).status_code == 303
    assert (tmp_path / "instance" / "seeother.db").stat().st_mode & 0o777 == 0o600


def test_an_unknown_setting_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """A setting that does not exist is an error at once, as an argument and in the config."""
    with pytest.raises(PolicyError, match="patience"):
        SeeOther(new_app(tmp_path), pateince=3)
    with pytest.raises(PolicyError, match="max_age"):
        SeeOther(new_app(tmp_path, SEEOTHER_MAX_AEG=3))


def test_settings_come_from_the_config_and_arguments_win(tmp_path: Path) -> None:
    """`SEEOTHER_*` and keyword arguments are the same names; Flask's own knowledge fills in."""
    app = new_app(tmp_path, SEEOTHER_PATIENCE=3.0, SEEOTHER_LEASE=9, TRUSTED_HOSTS=["shop.test"])
    SeeOther(app, lease=7)
    policy = app.extensions["seeother"].settings.policy
    found = (policy.patience, policy.lease, policy.hosts, policy.debug, policy.namespace)
    assert found == (3.0, 7, ("shop.test",), False, "shop")
    assert app.test_client().get("/", base_url="http://evil.test").status_code == 400


def test_no_mark_is_a_choice(tmp_path: Path) -> None:
    """`SEEOTHER_MARK = None` switches the mark off; None anywhere else leaves the default."""
    app = new_app(tmp_path, SEEOTHER_MARK=None, SEEOTHER_HOSTS=None)
    SeeOther(app)
    assert app.extensions["seeother"].settings.policy.mark is None


def test_templates_may_be_set_up_afterwards(tmp_path: Path) -> None:
    """The template environment is made when the app needs it, not by SeeOther."""
    app = new_app(tmp_path)
    SeeOther(app)
    assert "jinja_env" not in vars(app)
    app.jinja_options = {"trim_blocks": True}
    assert app.jinja_env.trim_blocks and "seeother_field" in app.jinja_env.globals


@pytest.mark.parametrize("key", ["dev", "supersecretkey", "short"])
def test_a_bad_secret_is_refused_in_production(tmp_path: Path, key: str) -> None:
    """A short or well-known key does not start in production, and warns in debug."""
    app = new_app(tmp_path)
    app.secret_key = key
    SeeOther(app)
    with pytest.raises(PolicyError, match="secret"):
        app.test_client().get("/")
    app.debug = True
    with pytest.warns(UserWarning, match="secret"):
        assert app.test_client().get("/").status_code == 404


def test_an_app_without_a_secret_says_so(tmp_path: Path) -> None:
    """No key at all is one sentence with the command that makes one."""
    app = new_app(tmp_path)
    app.secret_key = None
    SeeOther(app)
    with pytest.raises(PolicyError, match="token_urlsafe"):
        app.test_client().get("/")


def test_a_key_that_was_rotated_still_verifies(tmp_path: Path) -> None:
    """A form from before the rotation of SECRET_KEY is accepted by its fallback."""
    before, after = new_app(tmp_path), new_app(tmp_path)
    after.config.update(SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS=[before.secret_key])
    for app in (before, after):
        SeeOther(app)
        app.add_url_rule("/", view_func=lambda: FORM, methods=["GET", "POST"], endpoint="form")
    client = before.test_client()
    (token,) = tokens(client.get("/").text)
    other = after.test_client()
    other._cookies = client._cookies
    assert other.post("/?so", data={"name": "Ann", "so_token": token}).status_code == 200
    strange = other.post("/?so", data={"name": "Ann", "so_token": token[:-2] + "xx"})
    assert strange.status_code == 400


def test_one_extension_serves_two_apps(tmp_path: Path) -> None:
    """`init_app` keeps everything in the app, and refuses to stand around it twice."""
    so, apps = SeeOther(), [new_app(tmp_path / name) for name in ("one", "two")]
    for app in apps:
        so.init_app(app)
        app.add_url_rule("/", view_func=lambda: FORM, endpoint="form")
        assert len(tokens(app.test_client().get("/").text)) == 1
    with pytest.raises(PolicyError, match="already"):
        so.init_app(apps[0])


# The session --------------------------------------------------------------------------------

VALUES = {
    "tuple": (1, (2, "x")),
    "bytes": b"\xff\x00",
    "markup": Markup("<b>hi</b>"),
    "uuid": uuid.UUID(int=7),
    "date": dt.datetime(2025, 11, 20, 9, 30, tzinfo=dt.UTC),
    "nested": {"a": [1, {"b": None}], "t": ("x",)},
    "text": "Zoë 👩‍👩‍👧",
    " d": {" t": [1]},
}


@pytest.mark.parametrize("which", ["app", "alone"])
def test_values_come_back_as_they_were(which: str, request: pytest.FixtureRequest) -> None:
    """Everything that Flask's own cookie can hold survives, with its type."""
    app: Flask = request.getfixturevalue(which)
    app.add_url_rule("/set", view_func=lambda: put(**VALUES), endpoint="set")
    seen: list[dict[str, Any]] = []
    app.add_url_rule("/get", view_func=lambda: look(seen), endpoint="get")
    client = app.test_client()
    client.get("/set")
    client.get("/get")
    assert seen == [VALUES]
    assert [type(value) for value in seen[0].values()] == [type(VALUES[name]) for name in seen[0]]


@pytest.mark.parametrize("which", ["app", "alone"])
def test_it_is_a_full_mapping(which: str, request: pytest.FixtureRequest) -> None:
    """`del`, `pop`, `in`, `setdefault`, nested change and `clear` do what a dict does."""
    app: Flask = request.getfixturevalue(which)
    steps: list[Any] = [
        lambda: session.update(a=1, b=2, cart=[1], gone=0),
        lambda: session["cart"].append(2),
        lambda: session.pop("a") + session.setdefault("b", 9) + session.setdefault("c", 3),
        lambda: session.__delitem__("gone"),
    ]
    app.add_url_rule("/<int:n>", view_func=lambda n: repr(steps[n]()), endpoint="step")
    client = app.test_client()
    answers = [client.get(f"/{n}").text for n in range(len(steps))]
    assert answers[2] == "6"
    with client.session_transaction() as found:
        assert dict(found) == {"b": 2, "cart": [1, 2], "c": 3}
        assert "a" not in found and len(found) == 3
        found.clear()
    with client.session_transaction() as found:
        assert dict(found) == {}


def test_flasks_attributes_are_there(app: Flask) -> None:
    """`new`, `modified`, `accessed` and `permanent` tell what they tell in Flask."""

    @app.get("/<step>")
    def look(step: str) -> list[bool]:
        before = session.modified
        if step == "set":
            session["x"], session.permanent = [], True
        if step == "nested":
            session["x"].append(1)
        return [session.new, before, session.modified, session.permanent, session.accessed]

    client = app.test_client()
    assert client.get("/read").json == [True, False, False, False, True]
    assert client.get("/set").json == [True, False, True, True, True]
    assert client.get("/nested").json == [False, False, True, True, True]


def test_the_cookie_is_flasks_own(tmp_path: Path) -> None:
    """Name, path, domain and flags of the session cookie follow SESSION_COOKIE_*."""
    app = new_app(
        tmp_path,
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN=".example.com",
        SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PARTITIONED=True,
    )
    SeeOther(app)
    app.add_url_rule("/", view_func=lambda: put(a=1), endpoint="set")
    cookie = app.test_client().get("/", base_url="https://example.com/").headers["set-cookie"]
    _, *attributes = cookie.split("; ")
    assert cookie.startswith("sid=")
    expected = ["Domain=.example.com", "Partitioned", "Path=/shop", "SameSite=Strict", "Secure"]
    assert sorted(attributes) == expected


@pytest.mark.parametrize("which", ["app", "alone"])
def test_a_permanent_session_is_renewed(which: str, request: pytest.FixtureRequest) -> None:
    """Permanent: Expires in the cookie, renewed by every request; else it ends with the browser."""
    app: Flask = request.getfixturevalue(which)

    @app.get("/<step>")
    def visit(step: str) -> str:
        if step in ("short", "long"):
            session["a"], session.permanent = step, step == "long"
        return ""

    client = app.test_client()
    assert "Expires" not in client.get("/short").headers["set-cookie"]
    assert "set-cookie" not in client.get("/read").headers
    for step in ("long", "read"):
        assert "Expires" in client.get(f"/{step}").headers["set-cookie"]
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert "set-cookie" not in client.get("/read").headers


def test_a_message_renews_no_cookie(app: Flask) -> None:
    """A message makes the session `modified`, as in Flask; its cookie says nothing new for that."""
    modified: list[bool] = []

    @app.route("/", methods=["GET", "POST"])
    def form() -> Any:
        if request.method == "POST":
            flash("Saved.")
            modified.append(session.modified)
            return redirect("/")
        modified.append(session.modified)
        return FORM + "".join(map(str, get_flashed_messages()))

    app.add_url_rule("/in", view_func=lambda: put(user=1), endpoint="in")
    client = app.test_client()
    client.get("/in")
    (token,) = tokens(client.get("/").text)
    posted = client.post("/", data={"so_token": token, "name": "Ann"})
    landed = client.get(posted.location)
    assert "Saved." in landed.text
    assert modified == [False, True, False]
    for answer in (posted, landed):
        assert not [line for line in answer.headers.getlist("set-cookie") if "session=" in line]


def test_signing_out_ends_the_session(app: Flask) -> None:
    """After `clear()` the old cookie opens nothing, also for who has kept a copy of it."""
    app.add_url_rule("/in", view_func=lambda: put(user=1), endpoint="in")
    app.add_url_rule("/out", view_func=clear, endpoint="out")
    app.add_url_rule("/", view_func=lambda: dict(session), endpoint="who")
    client = app.test_client()
    client.get("/in")
    kept = client.get_cookie("session")
    assert kept is not None and client.get("/").json == {"user": 1}
    assert "session=;" in client.get("/out").headers["set-cookie"]
    client.set_cookie("session", kept.value)
    assert client.get("/").json == {}


def test_parallel_writes_lose_nothing(app: Flask) -> None:
    """Eight requests at once, each with a key of its own: all eight are there afterwards."""
    app.add_url_rule("/", view_func=lambda: put(first=0), endpoint="first")
    app.add_url_rule("/all", view_func=lambda: sorted(session), endpoint="all")
    app.add_url_rule("/<int:n>", view_func=lambda n: put(**{f"key {n}": n}), endpoint="set")
    with visiting(app) as visitor:
        visitor.get("/")
        for _ in range(3):
            together(8, lambda n: visitor.get(f"/{n}"))
            assert visitor.send("GET", "/all", {}).json() == [
                "first",
                *(f"key {n}" for n in range(8)),
            ]


def test_hooks_may_write_after_the_view(app: Flask) -> None:
    """What `after_request` puts into the session of a settled submission is kept too."""

    @app.post("/")
    def view() -> Any:
        session["view"] = 1
        return redirect("/")

    @app.after_request
    def later(response: Any) -> Any:
        session["hook"] = 2
        flash("from the hook")
        return response

    client = app.test_client()
    client.post("/", data={"name": "Ann"})
    with client.session_transaction() as found:
        assert (found["view"], found["hook"]) == (1, 2)
        assert found["_flashes"] == [("message", "from the hook")]


def test_a_session_transaction_reads_and_writes(app: Flask) -> None:
    """A test client prepares the session, and finds in it what the app left there."""
    app.add_url_rule("/", view_func=lambda: put(n=session["n"] + 1), endpoint="n")
    client = app.test_client()
    with client.session_transaction() as prepared:
        prepared["n"] = 41
    client.get("/")
    with client.session_transaction() as found:
        assert found["n"] == 42
    with client:
        client.get("/")
        assert session["n"] == 43


def test_a_session_of_flasks_own_cookie_is_no_session(app: Flask) -> None:
    """Whoever comes with a signed cookie from before begins anew, without an error."""
    app.add_url_rule("/", view_func=lambda: dict(session), endpoint="who")
    client = app.test_client()
    client.set_cookie("session", "eyJhIjoxfQ.aR7x.abcdefgh")
    assert client.get("/").json == {}


# Messages -----------------------------------------------------------------------------------


def board(app: Flask) -> None:
    """A form that says a few things, and a page that shows them twice."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        if request.method == "POST":
            flash("one")
            flash("two", "error")
            flash(Markup("<b>%s</b>") % request.form["name"], "info")
            return redirect("/")
        first = get_flashed_messages(with_categories=True)
        again = get_flashed_messages(with_categories=True)
        errors = get_flashed_messages(category_filter=["error"])
        return flask.render_template_string(
            "{{ first }}|{{ again }}|{{ errors }}|{{ last }}" + FORM,
            first=first,
            again=again,
            errors=errors,
            last=first[-1][1] if first else "",
        )


@pytest.mark.parametrize("which", ["app", "alone"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "first visit"])
def test_messages_in_order_and_once(
    which: str, known: bool, request: pytest.FixtureRequest
) -> None:
    """Messages in order, with categories; the same list again in the request, then none."""
    app: Flask = request.getfixturevalue(which)
    board(app)
    client = app.test_client()
    if known:
        client.get("/")
    landing = client.post("/", data={"name": "<i>"}, follow_redirects=True).text.split("|")
    assert landing[0] == landing[1] and landing[0].startswith("[(&#39;message&#39;, &#39;one&#39;)")
    assert [landing[0].count(word) for word in ("one", "two", "error", "info")] == [1, 1, 1, 1]
    assert landing[2] == "[&#39;two&#39;]"
    assert landing[3].startswith("<b>&lt;i&gt;</b><form")
    assert client.get("/").text.split("|")[0] == "[]"


def test_messages_go_to_the_tab_that_caused_them(app: Flask) -> None:
    """Two tabs post, then the second is shown first: each shows its own message."""

    @app.route("/<tab>", methods=["GET", "POST"])
    def page(tab: str) -> Any:
        if request.method == "POST":
            flash(f"from {tab}")
            return redirect(request.path)
        return f"{get_flashed_messages()}{FORM}"

    with visiting(app) as visitor:
        tabs = {tab: visitor.submit(visitor.get(f"/{tab}"), name=tab) for tab in ("a", "b")}
        for tab in ("b", "a"):
            assert f"['from {tab}']" in visitor.follow(tabs[tab]).source
        assert "[]" in visitor.get("/a").source


def test_a_prefetch_takes_no_message(app: Flask) -> None:
    """A page that is fetched ahead shows nothing, and the person still sees the message."""
    board(app)
    client = app.test_client()
    client.get("/")
    landing = client.post("/", data={"name": "x"}).location
    assert "one" not in client.get(landing, headers={"Sec-Purpose": "prefetch"}).text
    assert "one" in client.get(landing).text


def test_the_signal_is_sent_and_repeats_show_the_message(app: Flask) -> None:
    """`message_flashed` is sent once; the duplicate lands on the page with the message."""
    sent: list[str] = []
    board(app)

    def hear(_app: Flask, message: str, category: str, **_: Any) -> None:
        sent.append(f"{category}: {message}")

    with flask.message_flashed.connected_to(hear, app):
        client = app.test_client()
        (token,) = tokens(client.get("/").text)
        landings = [
            client.post("/?so", data={"name": "x", "so_token": token}).location for _ in range(2)
        ]
    assert sent == ["message: one", "error: two", "info: <b>x</b>"]
    assert landings[0] == landings[1]
    assert "one" in client.get(landings[1]).text


def test_a_test_client_finds_and_prepares_messages(app: Flask) -> None:
    """`_flashes` in a session transaction is what Flask's users expect to find there."""
    board(app)
    client = app.test_client()
    client.get("/")
    client.post("/", data={"name": "x"})
    with client.session_transaction() as found:
        assert dict(found["_flashes"])["error"] == "two"
    with client.session_transaction() as prepared:
        prepared["_flashes"] = [("message", "prepared")]
    assert "prepared" in client.get("/").text


def test_a_page_that_fails_gives_its_message_back(app: Flask) -> None:
    """The view raised after it had read the message: the reload shows it."""
    fails = [True]
    board(app)

    @app.errorhandler(500)
    def failed(_error: Exception) -> Any:
        return "failed", 500

    view: Any = app.view_functions["index"]

    def index() -> Any:
        text: Any = view()
        if request.method == "GET" and fails and "one" in text:
            fails.pop()
            raise RuntimeError
        return text

    app.view_functions["index"] = index
    client = app.test_client()
    client.get("/")
    landing = client.post("/", data={"name": "x"}).location
    assert client.get(landing).text == "failed"
    assert "one" in client.get(landing).text


# Redirects, drafts, templates ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sent"), [(None, 303), (301, 303), (302, 303), (303, 303), (307, 307), (308, 308)]
)
def test_a_redirect_after_post_is_303(app: Flask, code: int | None, sent: int) -> None:
    """`redirect` after a POST is 303 with an empty body; 307 and 308 stay; after a GET all stay."""
    extra: dict[str, Any] = {} if code is None else {"code": code}
    app.add_url_rule(
        "/", view_func=lambda: redirect("/x", **extra), methods=["GET", "POST"], endpoint="go"
    )
    answer = app.test_client().post("/", data={"a": "b"})
    assert (answer.status_code, answer.data, answer.location) == (sent, b"", "/x")
    assert app.test_client().get("/").status_code == (code or 302)


def test_a_test_client_follows_a_repeat(app: Flask) -> None:
    """`follow_redirects` sends the body once more after 308, as a browser does."""
    app.add_url_rule(
        "/there/", view_func=lambda: request.form["name"], methods=["POST"], endpoint="there"
    )
    answer = app.test_client().post("/there", data={"name": "Ann"}, follow_redirects=True)
    assert (answer.status_code, answer.text) == (200, "Ann")


def test_see_other_and_repeat_know_endpoints(app: Flask) -> None:
    """Both take a URL or an endpoint with its values, and refuse to leave the site."""
    app.add_url_rule("/item/<int:object>", view_func=str, endpoint="item")
    made = {
        "endpoint": lambda: see_other("item", object=7, flash=("saved", "info")),
        "url": lambda: see_other("/item/7?x=1#end"),
        "repeat": lambda: repeat("item", object=7),
        "permanent": lambda: repeat("/item/7", permanent=True),
        "away": lambda: see_other("//evil.example"),
    }
    app.add_url_rule(
        "/<name>", view_func=lambda name: made[name](), methods=["POST"], endpoint="make"
    )
    client = app.test_client()
    answers = {name: client.post(f"/{name}") for name in made if name != "away"}
    assert {name: (a.status_code, a.location) for name, a in answers.items()} == {
        "endpoint": (303, "/item/7"),
        "url": (303, "/item/7?x=1#end"),
        "repeat": (307, "/item/7"),
        "permanent": (308, "/item/7"),
    }
    with client.session_transaction() as found:
        assert found["_flashes"] == [("info", "saved")]
    assert client.post("/away").status_code == 500


TEMPLATE = """
<form method="post">{{ seeother_field() }}<input name="name" value="{{ old('name') }}">
<input name="password" value="{{ old('password') }}">
<p>{{ error("name") }}</p><ul>{{ errors() | length }}</ul></form>
"""


def test_a_draft_comes_back_in_the_template(app: Flask) -> None:
    """Rejected input and its errors stand in the form again, also after a reload; no password."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        if request.method == "POST":
            return see_other("index", draft={"name": "Too <short>."})
        return flask.render_template_string(TEMPLATE)

    with visiting(app) as visitor:
        answer = visitor.submit(visitor.get("/"), name='A"', password="hidden")
        assert answer.status_code == 303
        for _ in range(2):
            page = visitor.follow(answer)
            assert page.form.fields["name"] == 'A"' and page.form.fields["password"] == ""
            assert page.texts("p") == ["Too <short>."] and page.texts("ul") == ["1"]
            assert len(tokens(page.source)) == 1
        empty = visitor.get("/").form.fields
        assert (empty["name"], empty["password"]) == ("", "")


# Submissions without a database of the app's own --------------------------------------------


def orders(app: Flask, path: Path) -> None:
    """A form whose effect is a row, and whose answer is what the form says."""
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE IF NOT EXISTS effect (what TEXT)")

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        if request.method == "GET":
            return FORM
        with sqlite3.connect(path, timeout=30) as connection:
            connection.execute("INSERT INTO effect VALUES (?)", (request.form["name"],))
        answers = {"missing": 404, "teapot": 418, "busy": 503}
        if request.form["name"] == "raise":
            raise RuntimeError
        if request.form["name"] in answers:
            flask.abort(answers[request.form["name"]])
        return redirect("/")


def effects(path: Path) -> int:
    """How many there are."""
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM effect").fetchone()[0])


def test_ten_clicks_are_one_effect(app: Flask, tmp_path: Path) -> None:
    """Ten requests with one form, at the same time: one row, and one answer for all ten."""
    orders(app, tmp_path / "app.db")
    with visiting(app) as visitor:
        page = visitor.get("/")
        answers = together(4, lambda _: visitor.submit(page, name="Ann"))
        answers += [visitor.submit(page, name="Ann") for _ in range(2)]
    assert effects(tmp_path / "app.db") == 1
    assert {(a.status_code, a.headers["location"]) for a in answers} == {
        (303, answers[0].headers["location"])
    }


@pytest.mark.parametrize("handled", [False, True], ids=["plain", "error handler"])
def test_a_view_that_raised_is_in_doubt(app: Flask, tmp_path: Path, handled: bool) -> None:
    """Nobody knows what it did: it does not run again, also if the app made a fine page of it."""
    orders(app, tmp_path / "app.db")
    if handled:
        app.register_error_handler(RuntimeError, lambda _: "never mind")
    with visiting(app) as visitor:
        page = visitor.get("/")
        first, second = (visitor.submit(page, name="raise") for _ in range(2))
    assert first.status_code == (200 if handled else 500)
    assert second.status_code == 500 and "cannot tell" in second.text
    assert effects(tmp_path / "app.db") == 1


@pytest.mark.parametrize(("name", "status"), [("missing", 404), ("teapot", 418), ("busy", 503)])
def test_an_http_error_is_an_answer(app: Flask, tmp_path: Path, name: str, status: int) -> None:
    """`abort()` rejects or releases: whoever sends the form again is asked again."""
    orders(app, tmp_path / "app.db")
    with visiting(app) as visitor:
        page = visitor.get("/")
        assert [visitor.submit(page, name=name).status_code for _ in range(2)] == [status] * 2
    assert rows(app, "SELECT count(*) FROM so_ledger") == [(0,)]


def test_a_hook_that_answers_is_no_submission(app: Flask, tmp_path: Path) -> None:
    """`before_request` redirects to the login: nothing is claimed, the form works afterwards."""
    orders(app, tmp_path / "app.db")
    signed_in: list[bool] = []

    @app.before_request
    def sign_in() -> Any:
        return None if signed_in or request.method == "GET" else redirect("/login")

    with visiting(app) as visitor:
        page = visitor.get("/")
        assert "/login" in visitor.submit(page, name="Ann").headers["location"]
        signed_in.append(True)
        assert "/login" not in visitor.submit(page, name="Ann").headers["location"]
    assert effects(tmp_path / "app.db") == 1


def test_another_site_is_refused(app: Flask, tmp_path: Path) -> None:
    """A form of another site changes nothing, with cookies and all."""
    orders(app, tmp_path / "app.db")
    client: FlaskClient = app.test_client()
    client.get("/")
    answer = client.post(
        "/",
        data={"name": "x"},
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    )
    assert answer.status_code == 403 and effects(tmp_path / "app.db") == 0
