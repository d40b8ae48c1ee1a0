"""README.md against the code: its limits may not be out of date in either direction."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from flask import Flask

from seeother import Policy, PolicyError, wsgi
from seeother.apps.tour.lessons import LESSONS
from seeother.core.policy import Mode
from seeother.django.settings import MODES
from seeother.flask.settings import settle
from seeother.starlette import SeeOtherMiddleware

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def unused_settings() -> set[str]:
    """Settings that no code reads: neither as `policy.x` nor, within the policy, as `self.x`.

    What only one framework's adapter reads does nothing under all others.
    """
    folder = ROOT / "src" / "seeother"
    files = [f for f in folder.rglob("*.py") if not {"flask", "django"} & set(f.parts)]
    code = "\n".join(path.read_text("utf-8") for path in files)
    own = (folder / "core" / "policy.py").read_text("utf-8")
    names = {field.name for field in fields(Policy) if field.init}
    read = set(re.findall(r"\b(?:policy|_given)\.(\w+)", code))
    return names - read - set(re.findall(r"\bself\.(\w+)", own))


def test_settings_without_effect_are_listed() -> None:
    """README lists exactly those settings that are accepted and read by no code."""
    found = re.search(r"\*\*These settings are accepted and do nothing yet\*\*:([^*]*)", README)
    listed = set(re.findall(r"`(\w+)`", found[1])) if found else set()
    assert listed == unused_settings()


def test_the_picture_comes_first() -> None:
    """The first screen: one sentence, the picture, `make run`, then the table of known things."""
    order = [
        "exactly once (mode",
        "docs/prg.svg",
        "make run",
        "You know it as",
        "```python",
        "# Limits",
    ]
    places = [README.find(mark) for mark in order]
    assert -1 not in places
    assert places == sorted(places)


def test_the_lessons_words_are_there() -> None:
    """Who knows redirect, flash, CSRF token, 303, escaping, url_for and secret key finds them."""
    head = README.partition("## A whole app")[0]
    for word in ("redirect after POST", "flash()", "session", "CSRF token", "303, 307", "escaping"):
        assert word in head
    assert "`url_for`" in head
    assert "secret key" in head


def test_the_five_lessons_are_on_the_first_screen() -> None:
    """Each lesson has its line in the first table, with its framework, before anything else."""
    first = README.partition("docs/prg.svg")[0]
    lines = [line for line in first.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == len(LESSONS)
    for lesson, line in zip(LESSONS, lines, strict=True):
        assert lesson.framework.split(" + ")[-1] in line


def matrix() -> dict[str, dict[str, str]]:
    """The table of adapters and modes: what a cell says, by adapter and mode."""
    table = README.partition("| adapter |")[2].partition("\n\n")[0].splitlines()
    modes = [cell.strip() for cell in table[0].strip("| ").split("|")]
    lines = ([cell.strip() for cell in line.strip("| ").split("|")] for line in table[2:])
    return {name.split("`")[1]: dict(zip(modes, cells, strict=True)) for name, *cells in lines}


def is_accepted(adapter: str, mode: str, folder: Path) -> bool:
    """Does this adapter take this mode, as far as it can tell without a database?"""
    app = Flask("shop", instance_path=str(folder))
    app.secret_key = "yours: at least 32 characters long"
    build: dict[str, Any] = {
        "seeother.wsgi": lambda: wsgi.SeeOther(lambda *_: [], mode=mode),
        "seeother.starlette": lambda: SeeOtherMiddleware(app, mode=mode),  # type: ignore[arg-type]
        "seeother.flask": lambda: settle(app, {"mode": mode}),
    }
    if adapter == "seeother.django":  # it reads the settings of a whole project
        return mode in MODES
    try:
        build[adapter]()
    except PolicyError as error:
        return "SQLAlchemy" in error.detail  # hooked in Flask: only the database is missing
    return True


@pytest.mark.parametrize("adapter", matrix())
def test_the_matrix_of_modes_is_true(adapter: str, tmp_path: Path) -> None:
    """Where the table says "no" the mode is refused, everywhere else it is taken."""
    said = matrix()[adapter]
    assert set(said) == set(get_args(Mode))
    for mode, cell in said.items():
        assert is_accepted(adapter, mode, tmp_path) == (cell != "no"), (adapter, mode)


def test_the_flask_app_has_twelve_lines() -> None:
    """The first block is a whole app, and as short as the page says."""
    block = README.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in block.splitlines() if line]) == 12
