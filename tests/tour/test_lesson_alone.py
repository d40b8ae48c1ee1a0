"""Each lesson runs alone, as a program; so does its arm `seeother`, for whoever copies it."""

import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest

from seeother.apps.tour.lessons import LESSONS, Attack, Lesson, lesson
from seeother.apps.tour.source import FOLDER, source
from tests.board.visitor import Visitor
from tests.browser.server import Server
from tests.tour.arms_site import post_form

PATHS = {one.name: f"/{one.paths[0]}" for one in LESSONS}


def program(folder: Path, one: Lesson, arm: str) -> Server:
    """The arm's text as a file in a folder, on a free port instead of 8000."""
    file = folder / f"{one.name}.py"
    server = Server(folder, [sys.executable, file])
    text = source(one, arm).text
    assert text.count("8000") in (1, 2)
    file.write_text(text.replace("8000", str(server.port)), "utf-8")
    (folder / "templates").symlink_to(FOLDER / "templates")
    return server


@pytest.mark.parametrize("arm", ["lesson", "seeother"])
@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_alone(tmp_path: Path, one: Lesson, arm: str) -> None:
    """`python file.py` serves the lesson: form, redirect, landing page.

    The arm `seeother` plants its token and answers a second click with the first's Location.
    """
    attack: Attack = one.attacks[0]
    with program(tmp_path, one, arm) as server, Visitor(server.url) as visitor:
        page = visitor.get(PATHS[one.name])
        form = post_form(page)
        assert page.status == 200
        assert ("so_token" in form.fields) is (arm == "seeother")
        action, fields = (
            urljoin(page.url, form.action or page.url),
            {**form.fields, **attack.fields},
        )
        first, second = [visitor.post(fields, action) for _ in range(2)]
        landing = visitor.get(urljoin(action, first.headers["location"]), site="same-origin")
        assert landing.status == 200
        said = server.log.read_text("utf-8")
    assert "Traceback" not in said, said
    if arm == "seeother":
        assert first.status_code == second.status_code == 303
        assert first.headers["location"] == second.headers["location"]
    if one.name == "messages":
        typed = attack.fields["message"]
        assert landing.source.count(typed) == {"lesson": 2, "seeother": 1}[arm]


def test_as_a_module(tmp_path: Path) -> None:
    """The file imports as a module, and `flask --app` serves it."""
    name = f"seeother.apps.tour.lessons.{lesson('hello').name}"
    command = [sys.executable, "-m", "flask", "--app", name, "run", "--port"]
    with Server(tmp_path, command) as server, Visitor(server.url) as visitor:
        assert visitor.get("/hello").texts("h1") == ["Hello, stranger!"]
