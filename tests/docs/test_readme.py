"""README.md against the code: its limits may not be out of date in either direction."""

import re
from dataclasses import fields
from pathlib import Path

from seeother import Policy

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def unused_settings() -> set[str]:
    """Settings that no code reads."""
    paths = (ROOT / "src" / "seeother").rglob("*.py")
    code = "\n".join(path.read_text("utf-8") for path in paths)
    names = {field.name for field in fields(Policy) if field.init}
    return {n for n in names if not re.search(rf"\b(?:policy|_given|self)\.{n}\b", code)}


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
