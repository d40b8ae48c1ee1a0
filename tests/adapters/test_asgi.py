"""The ASGI adapter: the contract in two modes between lints, and what only ASGI has."""

from typing import ClassVar

from seeother.asgi import SeeOther
from seeother.core.policy import Mode
from seeother.testing.adapter import ASGIClient, Stage, WrappingContract, ZeroCodeContract
from seeother.testing.lint import ASGILint
from tests.adapters.stages import ASGIStage


class ASGIContract(WrappingContract):
    """The adapter between two lints."""

    def client(self, stage: Stage) -> ASGIClient:
        """The adapter between two lints."""
        app = ASGILint(ASGIStage(stage))
        for _ in range(stage.layers):
            app = ASGILint(SeeOther(app, **stage.settings))
        return ASGIClient(app)


class TestJoined(ASGIContract):
    """Every promise in mode joined."""


class TestSeparate(ASGIContract, ZeroCodeContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


class TestFenced(ASGIContract):
    """Every promise in mode fenced."""

    mode: ClassVar[Mode] = "fenced"
