"""Adapters with their ledger on Redis (mode separate): what they promise, and all of it at length.

What a planted or compressed page looks like does not depend on the store, so it is left to the
other stores; `SCALE=10` runs every promise of an adapter here, too.
"""

import os
from typing import Any, ClassVar, Final

import pytest

from seeother.asgi import SeeOther as ASGISeeOther
from seeother.core.policy import Mode
from seeother.testing.adapter import ASGIClient, Stage, WSGIClient, ZeroCodeContract, quiet
from seeother.testing.adapter.harness import Harness, answering
from seeother.testing.adapter.people import PeoplePromises
from seeother.testing.adapter.quiet import QuietPromises
from seeother.testing.adapter.stage import page
from seeother.testing.adapter.stored import StoredPromises
from seeother.testing.adapter.submissions import SubmissionPromises
from seeother.testing.adapter.visits import VisitPromises
from seeother.testing.lint import ASGILint, WSGILint
from seeother.wsgi import SeeOther
from tests.adapters.stages import ASGIStage, WSGIStage
from tests.servers.redis import address, everything

SCALE: Final = float(os.environ.get("SCALE", "1"))


class Stored(SubmissionPromises, VisitPromises, QuietPromises, StoredPromises, PeoplePromises):
    """The promises that a store has a part in."""


class Sent(SubmissionPromises, QuietPromises):
    """Those of them where the driver has a part, too."""


class OnRedis(Harness):
    """Where the contract names a file for the ledger, it is on a server."""

    mode: ClassVar[Mode] = "separate"

    @pytest.fixture(autouse=True)
    def _under_a_prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = address()
        monkeypatch.setattr(quiet, "bytes_of", lambda _file: everything(self.url))

    def settings(self, stage: Stage) -> dict[str, Any]:
        """The settings of a stage, its ledger on the server."""
        mine = stage.settings["store"] == f"sqlite:///{self._store}"
        return {**stage.settings, "store": self.url if mine else stage.settings["store"]}

    def test_nothing_of_it_can_be_read(self) -> None:
        """Neither page nor password stands in any value on the server."""
        secret = "the word nobody may read"
        browser = self.visit(answering(lambda _call: page(f"<p>Your password is {secret}.")))
        answer = browser.submit({"message": secret})
        assert secret in browser.follow(answer).text
        kept = repr(everything(self.url))
        assert "303" in kept
        for word in ("nobody may", "nobody+may", "Your pass"):
            assert word not in kept


OnWSGI: Any = ZeroCodeContract if SCALE >= 10 else Stored
OnASGI: Any = ZeroCodeContract if SCALE >= 10 else Sent


class TestWSGI(OnRedis, OnWSGI):  # type: ignore[misc]
    """What is sent, read, kept and shown, in mode separate."""

    def client(self, stage: Stage) -> WSGIClient:
        """The adapter between two lints."""
        app = WSGILint(WSGIStage(stage))
        for _ in range(stage.layers):
            app = WSGILint(SeeOther(app, **self.settings(stage)))
        return WSGIClient(app)


class TestASGI(OnRedis, OnASGI):  # type: ignore[misc]
    """What is sent, in mode separate."""

    def client(self, stage: Stage) -> ASGIClient:
        """The adapter between two lints."""
        app = ASGILint(ASGIStage(stage))
        for _ in range(stage.layers):
            app = ASGILint(ASGISeeOther(app, **self.settings(stage)))
        return ASGIClient(app)
