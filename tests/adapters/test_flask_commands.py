"""`flask seeother ...`: the commands of the command line on the app's own store."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, redirect, request

from seeother.flask import SeeOther
from tests.adapters.flask_site import new_app

FORM = '<form method="post"><input name="name"></form>'
FACTORY = """
from flask import Flask, redirect, request
from flask_sqlalchemy import SQLAlchemy
from seeother.flask import SeeOther

db, so = SQLAlchemy(), SeeOther()

class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)

def create_app(name="shop"):
    app = Flask(name, instance_path={folder!r})
    app.secret_key = {key!r}
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///" + name + ".db"
    db.init_app(app)
    so.init_app(app)

    @app.route("/", methods=["GET", "POST"])
    def index():
        if request.method == "GET":
            return '<form method="post"><input name="name"></form>'
        db.session.add(Order())
        db.session.commit()
        return redirect("/")

    with app.app_context():
        db.create_all()
    return app

def create_bare():
    return Flask("bare")
"""


def half_way(app: Flask) -> None:
    """A form that works, and one that breaks off in the middle."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        if request.method == "GET":
            return FORM
        if request.form["name"] == "raise":
            raise RuntimeError
        return redirect("/")


def order(app: Flask, name: str) -> int:
    """Send the form of the page, as a browser."""
    client = app.test_client()
    found = re.search(r'name="so_token" value="([^"]+)"', client.get("/").text)
    assert found is not None
    return client.post("/", data={"so_token": found[1], "name": name}).status_code


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An app whose ledger is a file in its instance folder, whose name needs quoting in a URL."""
    tmp_path.chmod(0o700)
    app = new_app(tmp_path, SEEOTHER_STORE=f"sqlite:///{tmp_path}/a%23b%3Fc.db")
    SeeOther(app)
    half_way(app)
    return app


def run(app: Flask, *words: str) -> Result:
    """`flask seeother WORDS`."""
    return app.test_cli_runner().invoke(args=["seeother", *words])


def test_the_ledger_is_the_apps_own(app: Flask) -> None:
    """stats, verify, purge and doctor look at what the app works with, without --store."""
    assert order(app, "tea") == 303
    assert "settled 1  claimed 0  in doubt 0" in run(app, "ledger", "stats").output
    assert run(app, "ledger", "purge").output == "0 rows and receipts deleted\n"
    for words in (["ledger", "verify"], ["doctor"]):
        found = run(app, *words)
        assert (found.exit_code, "LOOK" in found.output) == (0, False), found.output
    assert str(app.extensions["seeother"].settings.store.path.parent) in run(app, "doctor").output


@pytest.mark.parametrize(
    ("answer", "status"), [("--happened", 200), ("--did-not-happen", 500)], ids=["yes", "no"]
)
def test_a_doubt_is_listed_and_ended(app: Flask, answer: str, status: int) -> None:
    """What broke off is in doubt; who is told the truth about it is told by the command."""
    client = app.test_client()
    found = re.search(r'name="so_token" value="([^"]+)"', client.get("/").text)
    assert found is not None
    sent = {"so_token": found[1], "name": "raise"}
    assert client.post("/", data=sent).status_code == 500
    assert "cannot tell" in client.post("/", data=sent).text
    listed = run(app, "ledger", "doubts")
    name = listed.output.split()[0]
    assert "shop seeother ledger doubts" in run(app, "doctor").output  # the runner says app.name
    assert (listed.exit_code, "in doubt" in listed.output) == (1, True)
    assert run(app, "ledger", "resolve", name, answer).output == f"resolved {name}\n"
    assert run(app, "ledger", "doubts").exit_code == 0
    again = client.post("/", data=sent)
    assert again.status_code == status
    assert ("already done" in again.text) == (status == 200)
    assert "cannot tell" not in again.text


def test_another_store_may_be_named(app: Flask, tmp_path: Path) -> None:
    """`--store` is what it is everywhere; what is not there is one sentence and exit code 2."""
    found = run(app, "ledger", "stats", "--store", f"sqlite:///{tmp_path}/none.db")
    assert found.exit_code == 2
    assert "there is no ledger at" in found.output
    assert not (tmp_path / "none.db").exists()


def test_a_ledger_in_memory_cannot_be_seen(tmp_path: Path) -> None:
    """It ends with its process; the command says so."""
    app = new_app(tmp_path, SEEOTHER_STORE="memory://")
    SeeOther(app)
    found = run(app, "ledger", "stats")
    assert (found.exit_code, "lives in one process" in found.output) == (2, True)


def test_settings_that_cannot_be_are_one_sentence(tmp_path: Path) -> None:
    """A missing secret is said with the command that makes one, not with a traceback."""
    app = new_app(tmp_path)
    app.secret_key = None
    SeeOther(app)
    found = run(app, "doctor")
    assert (found.exit_code, "token_urlsafe" in found.output) == (2, True)


def flask(folder: Path, factory: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real `flask` command, in a process of its own."""
    command = [sys.executable, "-m", "flask", "--app", factory, *words]
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_factories_have_them_and_other_apps_have_not(tmp_path: Path) -> None:
    """`flask --app module:create_app(...)`: each app of a factory its own ledger; bare: nothing."""
    tmp_path.chmod(0o700)
    key = "a key that is long enough for everybody here"
    (tmp_path / "shops.py").write_text(FACTORY.format(folder=str(tmp_path), key=key))
    script = "import shops; app = shops.create_app('two'); c = app.test_client()\n"
    script += "token = c.get('/').text.partition('value=\"')[2].partition('\"')[0]\n"
    script += "assert c.post('/', data={'so_token': token, 'name': 'x'}).status_code == 303"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    first = flask(tmp_path, "shops:create_app", "seeother", "ledger", "stats")
    assert (first.returncode, "there is no ledger" in first.stderr) == (2, True)
    second = flask(tmp_path, "shops:create_app('two')", "seeother", "ledger", "stats")
    assert (second.returncode, "settled 1 " in second.stdout) == (0, True), second.stderr
    help_ = flask(tmp_path, "shops:create_app", "seeother", "--help")
    assert all(word in help_.stdout for word in ("doctor", "ledger"))
    bare = flask(tmp_path, "shops:create_bare", "seeother", "--help")
    assert (bare.returncode, "No such command 'seeother'" in bare.stderr) == (2, True)
