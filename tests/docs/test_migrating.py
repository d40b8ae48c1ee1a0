"""docs/migrating.md: each change fits its program, does what the page says, and comes out again."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.test_django_page import USUAL

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DJANGO = "Django"
BEGIN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
KEEP = "\nopen('cookies', 'w').write(repr(cookies))\n"
GIVE = "\ncookies = eval(open('cookies').read())\n"


class Guide(NamedTuple):
    """One section: its Python blocks by their first line, and its diff."""

    blocks: dict[str, str]
    diff: str


def guides() -> dict[str, Guide]:
    """Every section that has a diff."""
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        blocks = BLOCK.findall(section)
        diffs = [text for language, text in blocks if language == "diff"]
        named = {t.partition("\n")[0][2:]: t for language, t in blocks if language == "python"}
        if diffs:
            found[section.partition("\n")[0]] = Guide(named, *diffs)
    return found


GUIDES = guides()
SMALL = [name for name in GUIDES if name != DJANGO]


def applied(diff: str, source: str, *, back: bool = False) -> str:
    """The program with the lines of a diff; or, the other way round, without them."""
    out, into = ("+", "-") if back else ("-", "+")
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        found = "".join(line[1:] for line in lines if line[0] in (" ", out))
        wanted = "".join(line[1:] for line in lines if line[0] in (" ", into))
        assert source.count(found) == 1, found
        source = source.replace(found, wanted)
    return source


def run(folder: Path, file: str) -> None:
    """Run a file of the folder; every assertion in it has to hold."""
    command = [sys.executable, file]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", GUIDES)
def test_each_change_comes_out_again(name: str) -> None:
    """Applied and taken back, the program is what it was, to the letter."""
    blocks, diff = GUIDES[name]
    source = blocks.get("app.py") or blocks["settings.py"]
    after = applied(diff, source)
    assert after != source
    assert applied(diff, after, back=True) == source


@pytest.mark.parametrize("name", SMALL)
def test_each_change_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    """The program of before and the changed one, and everything that is asserted of them.

    Where the package to be replaced is not installed here, only the changed program runs.
    """
    blocks, diff = GUIDES[name]
    (tmp_path / "before.py").write_text(blocks["app.py"])
    (tmp_path / "after.py").write_text(applied(diff, blocks["app.py"]))
    (tmp_path / "visit.py").write_text(blocks["visit.py"])
    packages = re.findall(r"^from (\w+)", blocks["app.py"], re.MULTILINE)
    if all(map(find_spec, packages)):
        run(tmp_path, "before.py")
    run(tmp_path, "visit.py")


def test_django_before_and_after(tmp_path: Path) -> None:
    """Two runs of one project on one database: Ann stays signed in and sees her message."""
    blocks, diff = GUIDES[DJANGO]
    (tmp_path / "urls.py").write_text(blocks["urls.py"])
    (tmp_path / "settings.py").write_text(blocks["settings.py"] + USUAL)
    (tmp_path / "one.py").write_text(
        BEGIN + blocks["before the change: python manage.py shell"] + KEEP
    )
    (tmp_path / "two.py").write_text(BEGIN + GIVE + blocks["after it: python manage.py shell"])
    run(tmp_path, "one.py")
    (tmp_path / "settings.py").write_text(applied(diff, blocks["settings.py"]) + USUAL)
    run(tmp_path, "two.py")
