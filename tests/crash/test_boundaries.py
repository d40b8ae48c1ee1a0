"""kill -9 at every place where the board could die, and then the same request again.

Mode joined: the message, its ledger row, its receipt and the remembered name are committed together
or not at all. So wherever a process dies, the retry of the same POST in another process ends with
exactly one message, one outcome, and a landing page that says so. The places come from the flows
themselves (tests/crash/nursery.py); each one gets a database of its own.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.board.storm import Attacker
from tests.browser.polling import until
from tests.browser.server import Board, rows
from tests.crash.children import Nursery, get, post

POSTED = "Your message was posted."
LEASE_OVER = 61.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A database to start from, and a visitor with a form."""

    nursery: Nursery
    folder: Path
    cookie: str
    token: str

    @property
    def first(self) -> dict[str, Any]:
        """The submission that everything is about."""
        return post(self.token, self.cookie, "hello")

    @property
    def refused(self) -> dict[str, Any]:
        """A submission that is invalid: too long."""
        return post(self.token, self.cookie, "x" * 2001)

    def database(self, name: str, source: str = "start") -> Path:
        """A copy of a database of which nobody has anything open."""
        made = self.folder / name / "board.db"
        made.parent.mkdir()
        for file in (self.folder / source).iterdir():
            shutil.copy(file, made.parent / file.name)
        return made

    def places(self, request: dict[str, Any], name: str, source: str = "start") -> tuple[str, ...]:
        """Every place that this request passes when nothing happens."""
        return self.nursery.run(self.database(name, source), [request]).places


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An empty board, and the form of a visitor who opened it."""
    folder = tmp_path_factory.mktemp("crash")
    database = folder / "start" / "board.db"
    database.parent.mkdir()
    with Nursery() as nursery:
        (page,) = nursery.run(database, [get("/")]).answers
        field = LexborHTMLParser(page.text).css_first("input[name=so_token]")
        assert field is not None
        cookie = page.headers["set-cookie"].partition(";")[0]
        yield Scene(nursery, folder, cookie, str(field.attributes["value"]))


def healed(scene: Scene, database: Path) -> None:
    """After any crash: the same POST twice more, then the landing page, then a reload of it."""
    first, again = scene.nursery.run(database, [scene.first, scene.first]).answers
    assert first.status == again.status == 303
    assert first.location is not None and first.location == again.location
    assert rows(database) == rows(database, "so_ledger") == 1
    landing = get(first.location, scene.cookie)
    shown, reloaded = scene.nursery.run(database, [landing, landing]).answers
    assert shown.said == [POSTED] and "hello" in shown.text
    assert reloaded.said == [] and "hello" in reloaded.text


def test_a_post_that_dies_anywhere_is_done_once(scene: Scene, subtests: pytest.Subtests) -> None:
    """The first POST dies at each place in turn: one message, one outcome, and it is said.

    Nothing at all is kept before the COMMIT; everything is kept after it.
    """
    places = scene.places(scene.first, "whole-post")
    assert {"before lookup", "before claim", "before handle", "after settle"} <= set(places)
    assert {"at BEGIN", "at INSERT message", "at INSERT so_ledger", "at COMMIT"} <= set(places)
    for number, place in enumerate(places):
        with subtests.test(place=f"{number}: {place}"):
            database = scene.database(f"post-{number}")
            assert scene.nursery.run(database, [scene.first], deadly=number).answers == ()
            committed = int("after settle" in places[: number + 1])
            for table in ("message", "so_ledger", "so_receipt", "so_session"):
                assert rows(database, table) == committed, table
            healed(scene, database)


def test_a_replay_that_dies_anywhere_changes_nothing(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    """The message was stored and seen; its replay dies at each place: still one, said again."""
    database = scene.database("seen")
    (answer,) = scene.nursery.run(database, [scene.first]).answers
    scene.nursery.run(database, [get(answer.location or "", scene.cookie)])
    places = scene.places(scene.first, "whole-replay", "seen")
    assert {"before lookup", "after rearm", "at UPDATE so_receipt"} <= set(places)
    for number, place in enumerate(places):
        with subtests.test(place=f"{number}: {place}"):
            copy = scene.database(f"replay-{number}", "seen")
            assert scene.nursery.run(copy, [scene.first], deadly=number).answers == ()
            assert rows(copy) == rows(copy, "so_ledger") == 1
            healed(scene, copy)


def test_a_landing_page_that_dies_anywhere_loses_no_message(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    """The GET of the landing page dies at each place: unless the message was acknowledged, it is
    said by a later page once the lease of the dead one is over; and a replay says it in any case.
    """
    database = scene.database("posted")
    (answer,) = scene.nursery.run(database, [scene.first]).answers
    landing = get(answer.location or "", scene.cookie)
    places = scene.places(landing, "whole-landing", "posted")
    assert {"before open", "before take", "before handle", "after close"} <= set(places)
    for number, place in enumerate(places):
        with subtests.test(place=f"{number}: {place}"):
            copy = scene.database(f"landing-{number}", "posted")
            assert scene.nursery.run(copy, [landing], deadly=number).answers == ()
            acknowledged = "after close" in places[: number + 1]
            later = scene.nursery.run(copy, [landing, landing], ahead=LEASE_OVER)
            said = [page.said for page in later.answers]
            assert said == [[] if acknowledged else [POSTED], []]
            healed(scene, copy)


def test_a_rejected_post_that_dies_anywhere_keeps_its_draft(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    """An invalid message dies at each place: the retry leads to the form with the text in it."""
    places = scene.places(scene.refused, "whole-draft")
    assert {"before handle", "at INSERT so_receipt", "at COMMIT"} <= set(places)
    for number, place in enumerate(places):
        with subtests.test(place=f"{number}: {place}"):
            database = scene.database(f"draft-{number}")
            assert scene.nursery.run(database, [scene.refused], deadly=number).answers == ()
            first, again = scene.nursery.run(database, [scene.refused, scene.refused]).answers
            assert first.status == again.status == 303 and first.location == again.location
            page = get(first.location or "", scene.cookie)
            for shown in scene.nursery.run(database, [page, page]).answers:
                assert shown.typed.strip() == "x" * 2001
            assert rows(database) == 0


# A real server -----------------------------------------------------------------------------------


def working(board: Board) -> list[int]:
    """The pids of the worker processes, without multiprocessing's resource tracker."""
    found = []
    for pid in board.workers():
        line = Path(f"/proc/{pid}/cmdline")
        if line.exists() and b"spawn_main" in line.read_bytes():
            found.append(pid)
    return found


def test_a_worker_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Two workers, one killed in the middle of 120 submissions sent three times each: the port
    keeps answering, every submission ends at one Location, rows = submissions.
    """
    with Board(tmp_path, "--quiet", workers=2) as board, Attacker(board.port) as attacker:
        submissions = attacker.prepare_all((f"load {n}" for n in range(120)), 8)
        victims = until(lambda: working(board), "two workers")
        assert len(victims) == 2
        with ThreadPoolExecutor(1) as killer:
            killed = killer.submit(kill_when, board, victims[0], 30)
            copies = [one for one in submissions for _ in range(3)]
            answers = attacker.send_all(copies, 16)
            assert killed.result(60) < 120
        assert {answer.status for answer in answers} == {303}
        told = {(c.text, a.header("location")) for c, a in zip(copies, answers, strict=True)}
        assert len(told) == board.messages() == len(submissions)
        assert victims[0] not in working(board)
        assert attacker.ask("GET", "/", None, {}).status == 200
        assert attacker.send(attacker.prepare("afterwards")).status == 303


def kill_when(board: Board, pid: int, stored: int) -> int:
    """Kill this worker as soon as so many messages are stored; how many there were then."""
    until(lambda: board.messages() >= stored, f"{stored} messages")
    os.kill(pid, signal.SIGKILL)
    return board.messages()
