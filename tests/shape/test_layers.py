"""Who may know whom: the contracts of pyproject.toml, and what they cannot say."""

import ast
import subprocess
import sys
from typing import Final

import grimp
import pytest

from tests.shape.sources import ROOT, SOURCES, Source

FRAMEWORKS: Final = {"flask", "werkzeug", "django", "starlette", "fastapi", "sqlalchemy"}
CORE_EXTRAS: Final = {"multipart", "cryptography"}
SLEEPS: Final = {
    "stores/connect.py": "the switch to WAL, once in the life of a file",
    "stores/inspect.py": "what operators ask; no request waits for it",
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import, also those inside of functions."""
    return grimp.build_graph("seeother", include_external_packages=True, cache_dir=None)


def outside(graph: grimp.ImportGraph, package: str) -> set[str]:
    """What a package imports that is neither its own, nor ours, nor Python's."""
    inner = {package} | graph.find_descendants(package)
    found = {name for one in inner for name in graph.find_modules_directly_imported_by(one)}
    roots = {name.partition(".")[0] for name in found} - {"seeother"}
    return roots - set(sys.stdlib_module_names)


def test_the_contracts_are_kept() -> None:
    """Layers, purity of the core, stores beside drivers: as import-linter reads pyproject.toml."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True
    )
    assert run.returncode == 0, run.stdout


def test_the_core_knows_no_framework(graph: grimp.ImportGraph) -> None:
    """The core needs the form parser, and sealing `cryptography`; stores their drivers."""
    assert outside(graph, "seeother.core") <= CORE_EXTRAS
    assert outside(graph, "seeother.stores") <= {"psycopg", "redis"}


@pytest.mark.parametrize("one", ["seeother.errors", "seeother.core"])
def test_the_bottom_is_the_bottom(graph: grimp.ImportGraph, one: str) -> None:
    """Errors import nothing of ours, the core nothing of ours but errors."""
    own = {one} | graph.find_descendants(one)
    found = {name for part in own for name in graph.find_modules_directly_imported_by(part)}
    ours = {name for name in found - own if name.split(".")[0] == "seeother"}
    assert ours <= ({"seeother.errors"} if one == "seeother.core" else set())


@pytest.mark.parametrize("name", ["flask", "django", "starlette"])
def test_frameworks_do_not_know_each_other(graph: grimp.ImportGraph, name: str) -> None:
    """Flask's adapter runs where there is no Django, and so on."""
    own = {"flask": {"flask", "werkzeug"}}.get(name, {name})
    assert outside(graph, f"seeother.{name}") & FRAMEWORKS <= own | {"sqlalchemy"}


def test_nothing_knows_its_tests(graph: grimp.ImportGraph) -> None:
    """The library runs without pytest and Hypothesis; only what is for tests imports them."""
    for tool in ("pytest", "hypothesis"):
        users = graph.find_modules_that_directly_import(tool) if tool in graph.modules else set()
        assert {name.split(".")[1] for name in users} <= {"testing"}


@pytest.mark.parametrize(
    "one", [s for s in SOURCES if s.name.startswith(("core/", "stores/"))], ids=lambda s: s.name
)
def test_core_and_stores_do_not_wait(one: Source) -> None:
    """One logic for sync and async: no coroutine in either, and no sleep."""
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, waits) for node in ast.walk(one.tree))
    assert one.name in SLEEPS or "sleep(" not in one.text
