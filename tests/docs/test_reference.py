"""docs/reference.md against the code: every name, setting, error and option, and nothing else."""

import ast
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest

from seeother import Policy, SeeOtherError
from seeother.commands import cli
from seeother.core.session import Session
from seeother.flask.verbs import GLOBALS
from seeother.visit import Visit

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reference.md").read_text("utf-8")
DOTTED = re.compile(r"`(?:await )?(seeother(?:\.\w+)+)")
BASES = {"SeeOtherError", "Refused", "StoreError"}
EXPORTING = (
    "seeother",
    "seeother.flask",
    "seeother.django",
    "seeother.testing",
    "seeother.testing.adapter",
)
PROJECTS = "seeother.django."  # below it a project has to be configured first


def section(heading: str) -> str:
    """The text under a heading."""
    assert f"\n## {heading}\n" in TEXT
    return TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, as lists of cells."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def first_names(heading: str) -> list[str]:
    """What the first cells of a table name, without arguments."""
    names = (re.match(r"`(?:await )?([\w.]+)", row[0]) for row in rows(heading))
    return [name[1] for name in names if name]


def exported(module: str) -> list[str]:
    """What a package exports: the names that it imports as themselves."""
    source = Path(str(import_module(module).__file__)).read_text("utf-8")
    imports = (n for n in ast.parse(source).body if isinstance(n, ast.ImportFrom))
    return [alias.asname for node in imports for alias in node.names if alias.asname]


def errors(of: type[SeeOtherError] = SeeOtherError) -> Iterator[type[SeeOtherError]]:
    """Every error of the library, apps aside."""
    for kind in of.__subclasses__():
        if kind.__module__ in ("seeother.errors", "seeother.visit"):
            yield kind
        yield from errors(kind)


@pytest.mark.parametrize("module", EXPORTING)
def test_every_public_name_is_documented(module: str) -> None:
    """What these packages export is in the reference."""
    prefix = "" if module == "seeother" else f"{module}."
    assert exported(module)
    documented = [n for n in exported(module) if f"`{prefix}{n}" in TEXT or n in BASES]
    assert documented == exported(module)


@pytest.mark.parametrize("name", sorted(set(DOTTED.findall(TEXT))))
def test_every_dotted_name_exists(name: str) -> None:
    """What is named with its module can be imported from there."""
    module, _, last = name.rpartition(".")
    if name.startswith(PROJECTS) and module != PROJECTS[:-1]:
        module, last = PROJECTS[:-1], module.rpartition(".")[2]
    if module == PROJECTS[:-1] and find_spec(f"{module}.{last}"):
        return
    assert last in ("errors", "visit", "request") or hasattr(import_module(module), last)


def test_the_visit_and_the_session_have_these_names() -> None:
    """What the reference says of a visit and of a session is there."""
    known = {*dir(Visit), "form"}
    assert {n.removeprefix("visit.") for n in first_names("A visit")} <= known
    assert {n.removeprefix("session.") for n in first_names("A session")} <= set(dir(Session))


def test_what_templates_may_call_is_documented() -> None:
    """Every Jinja global of the Flask adapter has its line."""
    assert set(GLOBALS) <= set(first_names("In Flask"))


def test_every_setting_is_documented() -> None:
    """Each setting is there with its default, in the order of `Policy`."""
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows("Settings")}
    known = {f.name: f.default for f in fields(Policy) if f.init}
    assert MISSING not in known.values()
    assert list(listed) == list(known)
    shown = {name: repr(value).replace("'", '"') for name, value in known.items()}
    assert [n for n in known if n != "secret_fields" and listed[n] != shown[n]] == []


def test_errors_are_documented_as_they_are() -> None:
    """Each error that there is has its line, with its status and reason, and no other has one."""
    known = {e.__name__: e for e in errors() if e.__name__ not in BASES}
    listed = {name.strip("`"): (status, reason) for name, status, reason, _ in rows("Errors")}
    assert listed == {n: (str(e.status), f"`{e.reason}`") for n, e in known.items()}
    told = section("Errors").partition("With `resend` true")[2]
    back = {n for n, e in known.items() if e.resend}
    assert set(re.findall(r"`([A-Z]\w+)`", told)) == back


def commands(group: click.Group, path: str = "seeother") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what one types."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: click.Command) -> dict[str, Any]:
    """The options of a command and their defaults."""
    found: dict[str, Any] = {}
    for param in command.params:
        if isinstance(param, click.Option):
            found |= dict.fromkeys((*param.opts, *param.secondary_opts), param.default)
    return {name: default for name, default in found.items() if name.startswith("--")}


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_are_documented_with_their_options(path: str) -> None:
    """Each command is there; those that serve with a table of options, the others in a line."""
    command = COMMANDS[path]
    assert re.search(rf"`{path}[ `]", TEXT)
    if "--port" in options(command):
        known, last = options(command), path.rpartition(" ")[2]
        serving = {
            name.strip("`"): default.strip("`")
            for name, default, _, of in rows("Commands that serve")
            if of == "all" or f"`{last}`" in of
        }
        assert set(known) == set(serving)
        fixed = {"--host", "--port", "--db", "--workers", "--data"} & set(known)
        assert all(str(known[n]) == serving[n] for n in fixed)
        return
    assert all(f"`{name}" in section("Commands that look") for name in options(command))
    assert options(command)["--store"] in section("Commands that look")
