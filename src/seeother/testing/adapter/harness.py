"""What the promises stand on: the stage for one test, and views that many of them use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import pytest

from ...core.policy import Mode
from ...core.values import Response
from .browser import Browser
from .stage import SECRET, Behaviour, Call, Client, Effects, Stage, Streamed, page

T = TypeVar("T")

FORM: Final = '<form method="post"><input name="message"><button>Send</button></form>'
WAIT: Final = 30.0


class Harness:
    """Files, clients and their end, for one test after the other."""

    mode: ClassVar[Mode] = "joined"
    effects: Effects

    @pytest.fixture(autouse=True)
    def _on_stage(self, tmp_path: Path) -> Iterator[None]:
        """A folder with the two files; everything is closed after the test."""
        self._store = tmp_path / "store.db"
        where = self._store if self.mode != "separate" else tmp_path / "effects.db"
        self.effects, self._clients = Effects(where), list[Client]()
        try:
            yield
        finally:
            for client in self._clients:
                client.close()
            self.effects.shut()

    def client(self, stage: Stage) -> Client:
        """Serve `stage.behaviour` through the adapter; the one method that an adapter writes.

        In joined and fenced an unsafe request runs the behaviour inside `once` on
        `stage.effects.engine`, and `Call.effect` is `stage.effects.within(connection)`; everywhere
        else it is `stage.effects.do`.
        """
        raise NotImplementedError

    def serve(self, behaviour: Behaviour, *, layers: int = 1, **policy: Any) -> Client:
        """A client of an app with this view."""
        settings: dict[str, Any] = {
            "secret": SECRET,
            "namespace": "contract",
            "store": f"sqlite:///{self._store}",
            "mode": self.mode,
            **policy,
        }
        client = self.client(Stage(behaviour, settings, self.effects, layers))
        self._clients.append(client)
        return client

    def visit(self, behaviour: Behaviour, **policy: Any) -> Browser:
        """A browser at an app with this view."""
        return Browser(self.serve(behaviour, **policy))


def board(call: Call) -> Response:
    """The smallest app with everything: a page with messages and old input, a form, an effect."""
    visit = call.visit
    if call.method == "POST":
        text = visit.form.get("message", "")
        if not text:
            return visit.see_other("/", draft={"message": "Type something."})
        call.effect(text)
        return visit.see_other("/", flash=f"Saved {text}.")
    draft, said = visit.draft, visit.flashes()
    shown = "".join(f"<p class=said>{escape(flash.text)}</p>" for flash in said)
    wrong = f"<p class=wrong>{escape(draft.error('message') or '')}</p>" if draft else ""
    other = f"<p class=old>{escape(draft.old('other') or '')}</p>" if draft else ""
    return page(shown, wrong, other, FORM)


def answering(response: Response | Streamed | Callable[[Call], Response | Streamed]) -> Behaviour:
    """A page with a form at every GET; this answer, and an effect, at every POST."""

    def behaviour(call: Call) -> Response | Streamed:
        if call.method != "POST":
            return page(FORM)
        call.effect("done")
        return response(call) if callable(response) else response

    return behaviour


def together(*jobs: Callable[[], T]) -> list[T]:
    """Run these at the same time, each on a thread; what they return, in their order."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        start.wait(WAIT)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [done.result(WAIT) for done in [pool.submit(run, job) for job in jobs]]
