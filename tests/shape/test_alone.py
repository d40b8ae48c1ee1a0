"""Every module imports alone, with nothing installed but what it says it needs.

One interpreter forks a child for each module before it has imported anything itself; in the child
every package that is neither Python's nor on the module's list does not exist.
"""

import json
import subprocess
import sys
from functools import cache
from typing import Any, Final

import pytest

from tests.shape.sources import SOURCES

FLASK: Final = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker")
DJANGO: Final = ("django", "asgiref", "sqlparse")
SQLALCHEMY: Final = ("sqlalchemy", "typing_extensions", "greenlet")
PSYCOPG: Final = ("psycopg", "psycopg_pool", "psycopg_binary", "typing_extensions", "tzdata")
STARLETTE: Final = ("starlette", "anyio", "sniffio", "idna", "typing_extensions")
PYTEST: Final = ("_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")
HYPOTHESIS: Final = ("hypothesis", "_hypothesis_globals", "sortedcontainers", "attr")
BOARD: Final = (*STARLETTE, *SQLALCHEMY, "jinja2", "markupsafe", "markdown_it", "mdurl", "nh3")
# The longest prefix counts. What is not here needs nothing at all.
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "seeother.commands": ("click",),
    "seeother.core.push": ("multipart",),
    "seeother.operate": ("click",),
    "seeother.effect": SQLALCHEMY,
    "seeother.sqlalchemy": SQLALCHEMY,
    "seeother.sqlalchemy_asyncio": SQLALCHEMY,
    "seeother.sqlalchemy_asyncpg": (*PSYCOPG, *SQLALCHEMY),
    "seeother.psycopg": PSYCOPG,
    **{
        f"seeother.stores.{name}": PSYCOPG
        for name in (
            *("postgres", "pg_connect", "pg_driver", "pg_inspect", "pg_joined", "pg_once"),
            *("pg_rows", "pg_wire"),
        )
    },
    "seeother.riding": SQLALCHEMY,
    "seeother.starlette": STARLETTE,
    "seeother.starlette.async_effect": (*STARLETTE, *SQLALCHEMY),
    "seeother.flask": FLASK,
    "seeother.flask.effect": (*FLASK, *SQLALCHEMY),
    "seeother.flask.hooked": (*FLASK, *SQLALCHEMY),
    "seeother.django": DJANGO,
    "seeother.stores.redis": ("redis",),
    "seeother.stores.redis_inspect": ("redis",),
    "seeother.stores.redis_server": ("redis",),
    "seeother.stores.redis_wire": ("redis",),
    "seeother.apps.board": BOARD,
    "seeother.apps.board.serve": (*BOARD, "uvicorn", "click", "h11"),
    "seeother.apps.server": ("uvicorn", "click", "h11"),
    "seeother.apps.tour.check": (),
    "seeother.testing": PYTEST,
    "seeother.testing.adapter": (*PYTEST, *SQLALCHEMY),
    "seeother.testing.machine": (*PYTEST, *HYPOTHESIS),
    "seeother.testing.strategies": (*PYTEST, *HYPOTHESIS),
}
# What `import seeother` must not cost, or do.
HEAVY: Final = {"sqlite3", "multipart", "asyncio", "threading", "socket", "http", "email", "ssl"}

CHILD: Final = """
import importlib, json, os, sys
from importlib.machinery import PathFinder

class Nobody:
    def __init__(self, allowed):
        self.allowed = allowed

    def find_spec(self, name, path=None, target=None):
        if "." in name or name in self.allowed:
            return
        found = PathFinder.find_spec(name)
        if found is not None and "site-packages" in (found.origin or ""):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for line in sys.stdin:
    module, allowed = json.loads(line)
    child = os.fork()
    if not child:
        sys.meta_path.insert(0, Nobody(allowed))
        told = {"module": module, "error": None}
        before = set(sys.modules)
        try:
            importlib.import_module(module)
        except BaseException as error:
            told["error"] = f"{type(error).__name__}: {error}"
        told["loaded"] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
        os.write(1, json.dumps(told).encode() + b"\\n")
        os._exit(0)
    os.waitpid(child, 0)
"""


# Inside of a framework's package its first module has imported the others already.
MODULES: Final = [
    s.module
    for s in SOURCES
    if s.path.name != "__main__.py"
    and (
        s.module.count(".") < 2
        or s.module in NEEDS
        or s.module.startswith(("seeother.core.", "seeother.stores."))
    )
]


def needs(module: str) -> tuple[str, ...]:
    """What a module may import besides Python and the library."""
    found = [name for name in NEEDS if f"{module}.".startswith(f"{name}.")]
    return NEEDS[max(found, key=len)] if found else ()


@cache
def imported() -> dict[str, Any]:
    """Every module, imported in a child of its own."""
    orders = "".join(json.dumps([name, needs(name)]) + "\n" for name in MODULES)
    run = subprocess.run(
        [sys.executable, "-I", "-c", CHILD],
        input=orders,
        capture_output=True,
        text=True,
        check=True,
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    return {one["module"]: one for one in told}


@pytest.mark.parametrize("module", MODULES)
def test_it_imports_alone(module: str) -> None:
    """With every package missing that it does not need, and no other module imported before."""
    assert imported()[module]["error"] is None


def test_the_first_import_is_light() -> None:
    """`import seeother` loads no framework, no database, no form parser and no event loop."""
    loaded = set(imported()["seeother"]["loaded"])
    assert loaded & HEAVY == set()
    assert loaded - {"seeother"} <= set(sys.stdlib_module_names)


def test_the_planter_comes_when_it_is_named() -> None:
    """`import seeother` does not load it; its names are there all the same, and no others."""
    code = (
        "import sys, seeother; before = 'seeother.core.html' in sys.modules;"
        "from seeother import FormTag, plant; from seeother.core import html;"
        "print(before, plant is html.plant, FormTag is html.FormTag, hasattr(seeother, 'plants'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "True", "False"]


@pytest.mark.parametrize("module", ["seeother.wsgi", "seeother.asgi", "seeother.core.flows"])
def test_an_adapter_without_extras(module: str) -> None:
    """Zero-code needs a form parser, and that only with the first form."""
    loaded = set(imported()[module]["loaded"])
    assert "multipart" not in loaded
    assert loaded - {"seeother"} <= set(sys.stdlib_module_names)


def test_every_need_is_one() -> None:
    """The list of needs names modules that exist."""
    modules = {s.module for s in SOURCES}
    assert NEEDS.keys() <= modules
