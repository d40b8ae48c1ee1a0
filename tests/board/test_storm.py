"""Duplicates by the hundred: one effect for each submission, and nobody waits for others' copies.

The first half runs against two worker processes on one database (mode joined), SQLite's and
PostgreSQL's. The second half runs
the board in this process, because it has to hold a view and look at the order of the store's work.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from seeother.apps.board import app as board_app
from seeother.core.ops import Op
from seeother.core.values import Response
from seeother.visit import Visit
from tests.board.hosted import Hosted
from tests.board.nodes import board_on
from tests.board.storm import Attacker, Submission, landing_of
from tests.browser.polling import until
from tests.browser.server import Board, rows

THREADS = 64
COPIES = 8
SUBMISSIONS = 200
ON_POSTGRESQL = max(8, int(40 * float(os.environ.get("SCALE", "1"))))


@pytest.fixture
def attacker(two_workers: Board) -> Iterator[Attacker]:
    """Threads with connections to the two workers."""
    with Attacker(two_workers.port) as made:
        yield made


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Board]:
    """A board with two worker processes on one file, or on one PostgreSQL."""
    folder = tmp_path_factory.mktemp("board")
    with board_on(database, folder, "--quiet", workers=2) as server:
        yield server
    assert "Traceback" not in server.log.read_text()


def test_two_hundred_submissions_eight_times_each(
    two_workers: Board, attacker: Attacker, database: str | None
) -> None:
    """200 submissions, 8 copies of each, 64 at once, 2 workers: 200 rows, one Location for each.

    On PostgreSQL 40 times SCALE: what many nodes do there is test_nodes.py's.
    """
    number = SUBMISSIONS if database is None else ON_POSTGRESQL
    submissions = attacker.prepare_all((f"storm {n}" for n in range(number)), 16)
    copies = [one for one in submissions for _ in range(COPIES)]
    answers = attacker.send_all(copies, THREADS)
    assert {answer.status for answer in answers} == {303}
    told = defaultdict(set)
    for one, answer in zip(copies, answers, strict=True):
        told[one.text].add(answer.header("location"))
    assert {len(locations) for locations in told.values()} == {1}
    assert len(set().union(*told.values())) == number
    assert two_workers.messages() == number
    for one in submissions:
        assert two_workers.messages(one.text) == 1


def test_a_hundred_copies_of_one_submission(two_workers: Board, attacker: Attacker) -> None:
    """100 copies at once of a single submission: one row, one outcome, and its message is said."""
    one = attacker.prepare("only once")
    answers = attacker.send_all([one] * 100, 50)
    assert {(a.status, a.header("location")) for a in answers} == {
        (303, answers[0].header("location"))
    }
    assert two_workers.messages("only once") == 1
    assert "Your message was posted." in landing_of(attacker, one, answers[0])


def test_edits_at_once_are_each_kept(two_workers: Board, attacker: Attacker) -> None:
    """One token with 16 different texts, 4 copies of each, at once: 16 messages."""
    form = attacker.prepare("TEXT")
    edits = [
        Submission(f"edit-{n}", form.body.replace(b"TEXT", b"edit-%d" % n), form.headers)
        for n in range(16)
    ]
    answers = attacker.send_all([edit for edit in edits for _ in range(4)], THREADS)
    assert {answer.status for answer in answers} == {303}
    for edit in edits:
        assert two_workers.messages(edit.text) == 1


# Nobody waits behind somebody else's duplicates ---------------------------------------------------


@dataclass
class Watch:
    """A view that can be held, and the order in which the store was asked (verb, ledger id)."""

    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def count(self, verb: str, key: bytes) -> int:
        """How often this was asked about this submission."""
        return self.asked.count((verb, key))


@contextmanager
def watched(board: Hosted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Hold the view of the message "slow"; note every op that names a submission."""
    watch, save, within = Watch(), board_app.save, board.app.store.within  # type: ignore[attr-defined]

    def slow_save(connection: Connection, visit: Visit) -> Response:
        if visit.form["message"] == "slow":
            watch.entered.set()
            watch.gate.wait(60)
        return save(connection, visit)

    def noted(transaction: Any) -> Any:
        joined = within(transaction)
        perform = joined.perform

        def note(op: Op[Any]) -> Any:
            if (key := getattr(op, "key", None)) is not None:
                watch.asked.append((op.verb, key.id))
            return perform(op)

        joined.perform = note
        return joined

    monkeypatch.setattr(board_app, "save", slow_save)
    monkeypatch.setattr(board.app.store, "within", noted)
    try:
        yield watch
    finally:
        watch.gate.set()


def test_the_copies_of_a_slow_submission_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a view is held and 60 copies of it wait: pages and replays are answered, the
    submissions of others are next in line, and no copy stands in that line before them.

    In mode joined on SQLite the held view has the file's only write lock, so other submissions
    have to wait for the view itself. What they may never wait for are its duplicates.
    """
    with (
        Hosted(tmp_path) as board,
        watched(board, monkeypatch) as watch,
        Attacker(board.port) as attacker,
    ):
        before = attacker.prepare("before")
        settled = attacker.send(before)
        slow = attacker.prepare("slow")
        others = attacker.prepare_all([f"other {n}" for n in range(5)], 5)
        watch.asked.clear()
        with ThreadPoolExecutor(80) as pool:
            holder = pool.submit(attacker.send, slow)
            assert watch.entered.wait(30)
            (slow_key,) = {key for verb, key in watch.asked if verb == "claim"}
            copies = [pool.submit(attacker.send, slow) for _ in range(60)]
            until(lambda: watch.count("lookup", slow_key) == 61, "all copies wait")
            line = [pool.submit(attacker.send, other) for other in others]
            until(lambda: len({key for _, key in watch.asked}) == 6, "the others are in line")

            # The view is still held: whoever needs no writer is answered at once.
            for _ in range(10):
                assert "before" in attacker.ask("GET", "/", None, {}).text
            replay = attacker.send(before)
            assert replay.header("location") == settled.header("location")
            assert not holder.done() and not any(copy.done() for copy in copies)

            watch.gate.set()
            outcome = holder.result(60)
            answers = [one.result(60) for one in line]
            locations = {copy.result(60).header("location") for copy in copies}
    assert {answer.status for answer in answers} == {303}
    assert locations == {outcome.header("location")}
    assert watch.count("claim", slow_key) == 1  # no copy ever stood in the writer's line
    assert watch.count("settle", slow_key) == 1
    assert rows(tmp_path / "board.db") == 7


def test_a_submission_waits_for_a_view_and_not_for_its_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the end of the held view and the end of the next submission the writer does nothing
    else: order of the store's work, whatever the number of copies.
    """
    with (
        Hosted(tmp_path) as board,
        watched(board, monkeypatch) as watch,
        Attacker(board.port) as attacker,
    ):
        slow, other = attacker.prepare("slow"), attacker.prepare("other")
        with ThreadPoolExecutor(70) as pool:
            holder = pool.submit(attacker.send, slow)
            assert watch.entered.wait(30)
            (slow_key,) = {key for _, key in watch.asked}
            copies = [pool.submit(attacker.send, slow) for _ in range(60)]
            until(lambda: watch.count("lookup", slow_key) == 61, "all copies wait")
            next_one = pool.submit(attacker.send, other)
            until(lambda: len({key for _, key in watch.asked}) == 2, "the other one is in line")
            watch.gate.set()
            assert next_one.result(60).status == holder.result(60).status == 303
            assert {copy.result(60).status for copy in copies} == {303}
    written = [(verb, key == slow_key) for verb, key in watch.asked if verb in ("claim", "settle")]
    assert written == [("claim", True), ("settle", True), ("claim", False), ("settle", False)]
    assert rows(tmp_path / "board.db") == 2
