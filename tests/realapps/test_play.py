"""The player that plays with real apps, played with a tiny one of our own.

It has what they have: a login by a form, a token in its form, a redirect, rows in a SQLite file;
and real servers stand in front of it. What is tested is the player: that it counts what is there,
that it finds fault with what is wrong, and that it fills in forms as browsers do.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.realapps.__main__ import judged, known, scenes
from tests.realapps.app import App, Effect, Task
from tests.realapps.person import Page, Unexpected
from tests.realapps.play import BARE, SCENES

SITE: Final = '''
import os, sqlite3
from urllib.parse import parse_qs

here = os.path.dirname(os.path.abspath(__file__))
FORM = """<form method=post action=/save><input type=hidden name=csrf value=good>
<input name=text></form>"""

def connect():
    return sqlite3.connect(os.path.join(here, "notes.db"), timeout=30)

def application(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    sent = {k: v[0] for k, v in parse_qs(environ["wsgi.input"].read(size).decode()).items()}
    signed = "user=ann" in environ.get("HTTP_COOKIE", "")
    head, body = [("Content-Type", "text/html")], ""
    if environ["REQUEST_METHOD"] == "GET":
        status, body = "200 OK", FORM if signed else FORM.replace("/save", "/login")
    elif environ["PATH_INFO"] == "/login":
        status = "302 Found"
        head += [("Location", "/"), ("Set-Cookie", "user=ann; Path=/; HttpOnly")]
    elif not signed or sent.get("csrf") != "good":
        status = "403 Forbidden"
    else:
        with connect() as db:
            number = db.execute("INSERT INTO note(text) VALUES(?)", [sent["text"]]).lastrowid
        status = "302 Found"
        head += [("Location", f"/notes/{number}")]
    start_response(status, head)
    return [body.encode()]
'''
CREATE: Final = "import site_of_app as s; s.connect().execute('CREATE TABLE note(text)')"


@dataclass(frozen=True)
class Local(App):
    """An app in the environment that the tests run in."""

    def program(self, name: str) -> Path:
        return Path(sys.executable).parent / name


NOTES: Final = Local(
    name="notes",
    kind="wsgi",
    says="a tiny app",
    needs=("notes==1",),
    files={"site_of_app.py": SITE},
    create=(("python", "-c", CREATE),),
    login=lambda person: person.sign_in("/", "form", text="ann"),
    task=Task("/", "form", {"text": "{}"}),
    effect=Effect("notes.db", "note", "text"),
)
LONG: Final = ("slow", "killed in view")  # they wait until patience and lease are over
QUICK: Final = ("once", "refresh", "2 forms", "burst of 5")


@pytest.fixture(autouse=True)
def gunicorn() -> None:
    """The server of WSGI apps; Windows has none."""
    pytest.importorskip("gunicorn")


def test_bare_every_repeat_is_stored(tmp_path: Path) -> None:
    """Without seeother: 1 row, 2 by refresh, 20 by ten double clicks, 5 by a burst, 2 forms 2."""
    results = scenes(NOTES, tmp_path, BARE, protected=False)
    assert {name: one.stored for name, one in results.items()} == BARE
    assert list(judged(NOTES, results, protected=False)) == []


def test_with_seeother_no_repeat_is(tmp_path: Path) -> None:
    """With it 1, 1, 10, 1, 2; killed after its effect 1 and in doubt, later 1 and known."""
    names = [name for name in SCENES if name not in LONG]
    results = scenes(NOTES, tmp_path, names, protected=True)
    assert list(judged(NOTES, results, protected=True)) == []
    assert [one.stored for one in results.values()] == [1, 1, 10, 1, 2, 1, 1]
    assert [name for name, one in results.items() if one.doubts] == ["killed after effect"]


def test_what_is_not_protected_is_found_out(tmp_path: Path) -> None:
    """A site that claims to be protected and is not: the numbers and the answers tell."""
    fake = {"seeother/__init__.py": "", "seeother/wsgi.py": "SeeOther = lambda app: app"}
    lying = replace(NOTES, files={**NOTES.files, **fake})
    results = scenes(lying, tmp_path, QUICK, protected=True)
    found = list(judged(lying, results, protected=True))
    assert "refresh: 2 instead of {1}" in found
    assert "burst of 5: 5 instead of {1}" in found
    assert any("A note, refresh: different endings" in one for one in found)
    assert not any("once" in one or "2 forms" in one for one in found)


def test_a_login_that_fails_is_no_login(tmp_path: Path) -> None:
    """Who is not signed in plays no scene: otherwise nothing would be stored, and nothing twice."""
    closed = replace(NOTES, files={"site_of_app.py": SITE.replace('("Set-Cookie"', '("X-Not"')})
    with pytest.raises(Unexpected, match="nobody is logged in"):
        scenes(closed, tmp_path, QUICK, protected=True)


def page(html: str) -> Page:
    """A page at a fixed address."""
    return Page("http://127.0.0.1/new?a=b", httpx.Response(200, html=html))


def test_a_form_is_sent_as_browsers_do() -> None:
    """Hidden fields, choices and checks as they stand, the pressed button, the page's own URL."""
    sent = page(
        "<form method=post><input type=hidden name=csrf value=1><input name=text>"
        "<input type=checkbox name=on checked><input type=checkbox name=off>"
        "<input name=grey disabled value=x><input type=file name=file>"
        "<select name=one><option value=a>A<option selected>B</select>"
        "<select name=none multiple><option>C</select><textarea name=area>long</textarea>"
        "<button name=save value=yes>Save</button><button name=drop>Drop</button></form>"
    ).fill("form", {"text": "typed"}, "save")
    assert sent.target == "http://127.0.0.1/new?a=b"
    assert parse_qsl(sent.body.decode()) == [
        ("csrf", "1"),
        ("text", "typed"),
        ("on", "on"),
        ("one", "B"),
        ("area", "long"),
        ("save", "yes"),
    ]


def test_a_multipart_form_is_sent_as_one() -> None:
    """`enctype` decides how; the fields are the same."""
    form = '<form method=post action="/up" enctype="multipart/form-data"><input name=text></form>'
    sent = page(form).fill("form", {"text": "typed"})
    assert sent.kind.startswith("multipart/form-data; boundary=")
    assert b'name="text"\r\n\r\ntyped\r\n' in sent.body


@pytest.mark.parametrize(
    "html", ["", "<form method=post><input name=x></form>", "<form><input name=text></form>"]
)
def test_a_page_without_the_form_is_a_failure(html: str) -> None:
    """No form, another form, a form that is no submission: nothing is sent."""
    with pytest.raises(Unexpected):
        page(html).fill("form", {"text": "typed"})


def test_every_app_says_what_it_needs_with_its_version() -> None:
    """The apps can be named one by one, and what is installed is the same next year."""
    apps = known()
    assert len({app.name for app in apps}) == len(apps) >= 5
    assert all("==" in app.needs[0] for app in apps)
