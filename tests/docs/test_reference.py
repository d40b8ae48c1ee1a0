"""docs/reference.md against the code: every name, setting, error and option, and nothing else."""

import ast
import re
from dataclasses import MISSING, fields
from pathlib import Path

import seeother
from seeother import Policy, SeeOtherError
from seeother.commands import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reference.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, as lists of cells."""
    part = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_public_name_is_documented() -> None:
    """What `seeother` exports is in the reference."""
    source = Path(seeother.__file__).read_text("utf-8")
    imports = (n for n in ast.parse(source).body if isinstance(n, ast.ImportFrom))
    names = {alias.asname for node in imports for alias in node.names}
    assert names
    assert [name for name in names if name and f"`{name}" not in TEXT] == []


def test_every_setting_is_documented() -> None:
    """Each setting is there with its default, in the order of `Policy`."""
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows("Settings")}
    known = {f.name: f.default for f in fields(Policy) if f.init}
    assert MISSING not in known.values()
    assert list(listed) == list(known)
    shown = {name: repr(value).replace("'", '"') for name, value in known.items()}
    assert [n for n in known if n != "secret_fields" and listed[n] != shown[n]] == []


def test_errors_are_documented_as_they_are() -> None:
    """Each listed error has that status and that reason."""
    for name, status, reason, _when in rows("Errors"):
        error: type[SeeOtherError] = getattr(seeother, name.strip("`"))
        assert (str(error.status), f"`{error.reason}`") == (status, reason), name


def test_options_of_the_commands_are_documented() -> None:
    """Each command and each option of it is there."""
    listed = {row[0].strip("`") for row in rows("Commands")}
    for name, command in cli.commands.items():
        assert f"`seeother {name}`" in TEXT
        options = {option for param in command.params for option in param.opts}
        assert {o for o in options if o.startswith("--")} - {"--help"} == listed
    assert re.search(r"`--port` \| `8000`", TEXT)
