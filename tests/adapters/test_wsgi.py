"""The WSGI adapter: the contract in two modes under both lints, and what only WSGI has."""

from typing import ClassVar

from seeother.core.policy import Mode
from seeother.testing.adapter import AdapterContract, Stage, WSGIClient
from seeother.testing.lint import WSGILint
from seeother.wsgi import SeeOther
from tests.adapters.stages import WSGIStage


class WSGIContract(AdapterContract):
    """wsgiref's validator outside and inside."""

    def client(self, stage: Stage) -> WSGIClient:
        """The adapter between two lints."""
        app = WSGILint(WSGIStage(stage))
        for _ in range(stage.layers):
            app = WSGILint(SeeOther(app, **stage.settings))
        return WSGIClient(app)


class TestJoined(WSGIContract):
    """Every promise in mode joined."""


class TestSeparate(WSGIContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"
