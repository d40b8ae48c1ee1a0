"""docs/reference.md against what the adapters bring: commands and template tags, each by name."""

import ast
from pathlib import Path

import pytest
from click import Group

from seeother.flask.commands import seeother
from tests.docs.test_reference import TEXT, commands, section

DJANGO = Path(__file__).parents[2] / "src" / "seeother" / "django"


def tags() -> list[str]:
    """The template tags: functions under a decorator of `register`."""
    tree = ast.parse((DJANGO / "templatetags" / "seeother.py").read_text("utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return [one.name for one in functions if one.decorator_list]


def flags(name: str) -> set[str]:
    """The options that a management command adds."""
    tree = ast.parse((DJANGO / "management" / "commands" / f"{name}.py").read_text("utf-8"))
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and text.startswith("--")}


MANAGED = [p.stem for p in (DJANGO / "management" / "commands").glob("[a-z]*.py")]


@pytest.mark.parametrize("path", [path for path, _ in commands(seeother, "flask seeother")])
def test_commands_of_flask_are_documented(path: str) -> None:
    """Each is named under "In Flask", as one types it."""
    assert isinstance(seeother, Group)
    assert f"`{path}" in section("In Flask")


@pytest.mark.parametrize("name", MANAGED)
def test_management_commands_are_documented(name: str) -> None:
    """Each is named under "In Django", with its options."""
    assert f"`manage.py {name}`" in section("In Django")
    (row,) = [line for line in section("In Django").splitlines() if f"manage.py {name}`" in line]
    assert all(flag in row for flag in flags(name))


@pytest.mark.parametrize("name", tags())
def test_template_tags_are_documented(name: str) -> None:
    """Each is named under "In Django"."""
    assert f"`{{% {name} " in section("In Django")
    assert "`{% load seeother %}`" in TEXT
