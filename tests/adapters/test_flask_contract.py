"""The Flask adapter: the contract of every adapter, in its modes."""

import os
from collections.abc import Callable
from typing import Any, ClassVar

from flask import Flask, request
from flask.wrappers import Response as FlaskResponse
from sqlalchemy.orm import scoped_session, sessionmaker

from seeother.core.policy import Mode
from seeother.core.values import Response
from seeother.flask import SeeOther, visit_of
from seeother.flask.extension import Machinery
from seeother.testing.adapter import Call, Stage, Streamed, WrappingContract, WSGIClient
from seeother.testing.adapter.harness import board
from seeother.testing.adapter.stage import Ask, fetch
from seeother.testing.adapter.submissions import SubmissionPromises
from seeother.testing.adapter.visits import VisitPromises
from seeother.testing.lint import WSGILint
from tests.adapters.pg_stages import OnPostgres

ALL = float(os.environ.get("SCALE", "1")) >= 10
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def app_of(stage: Stage) -> Flask:
    """A stage's behaviour as the one view of a Flask app."""
    app = Flask("stage", static_folder=None)
    app.secret_key = "the secret of the framework, not ours"
    so = SeeOther(app, **stage.settings)
    once = stage.settings["mode"] != "separate"
    sessions = scoped_session(sessionmaker(stage.effects.engine))

    def view(path: str = "") -> FlaskResponse:
        effect: Callable[[str], None] = stage.effects.do
        if once and request.method not in ("GET", "HEAD"):
            effect = stage.effects.within(sessions().connection())
        made = Call(visit_of(), request.method, request.path, request.get_data(), effect)
        return answer(stage.behaviour(made))

    run = so.once(sessions)(view) if once else view
    for rule in ("/", "/<path:path>"):
        app.add_url_rule(rule, "view", run, methods=METHODS)
    for _ in range(stage.layers - 1):
        app.wsgi_app = Machinery(app.wsgi_app, app.extensions["seeother"])  # type: ignore[method-assign]
    return app


def answer(made: Response | Streamed) -> FlaskResponse:
    """What a behaviour answers, as Flask's response."""
    body: Any = made.pieces if isinstance(made, Streamed) else made.body
    response = FlaskResponse(body, made.status)
    response.headers.clear()
    response.headers.extend((k.decode("latin-1"), v.decode("latin-1")) for k, v in made.headers)
    return response


class FlaskContract(WrappingContract):
    """WSGI's lint outside; inside is Flask."""

    def client(self, stage: Stage) -> WSGIClient:
        """The app behind a lint."""
        return WSGIClient(WSGILint(app_of(stage)))

    def test_a_plain_client_gets_the_exact_location(self) -> None:
        """No cookie, no token: the exact Location; a message makes a session, as Flask's own do."""
        client, seen = self.serve(board), []
        body = (("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "9"))
        for _ in range(2):
            answer = fetch(client, Ask("POST", "/", body, b"message=a"))
            assert (answer.status, answer.location, answer.body) == (303, "/", b"")
            seen += [line.partition("=")[0] for line in answer.all("set-cookie")]
        assert (seen, self.effects.all()) == (["session"] * 2, ["a", "a"])


class TestJoined(FlaskContract):
    """Every promise in mode joined."""


class TestFenced(SubmissionPromises, VisitPromises):
    """What submissions and visits promise, in mode fenced."""

    mode: ClassVar[Mode] = "fenced"
    client = FlaskContract.client
    test_a_plain_client_gets_the_exact_location = (
        FlaskContract.test_a_plain_client_gets_the_exact_location
    )


if ALL:

    class TestAllFenced(FlaskContract):
        """Every promise in mode fenced."""

        mode: ClassVar[Mode] = "fenced"

    class TestFencedOnPostgres(OnPostgres, FlaskContract):
        """The same with effects and ledger in PostgreSQL."""

        mode: ClassVar[Mode] = "fenced"


class TestSeparate(FlaskContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"
