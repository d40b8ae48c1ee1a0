"""How large things are, as a guide that is kept: what must be read at once has to fit a head."""

from statistics import median, quantiles
from typing import Final

import pytest

from tests.shape.sources import SOURCES, Source

ADAPTERS: Final = (
    *("wsgi.py", "wsgi_exchange.py", "asgi.py", "exchange.py", "channel.py"),
    *("starlette/", "flask/", "django/"),
)
STORES: Final = ("stores/",)
# What is longer than its kind may be, with the reason.
LARGER: Final = {
    "wsgi_exchange.py": "PEP 3333: start_response, write() and close() act on one exchange",
}


def lengths() -> list[int]:
    """The lines of every function, with its docstring."""
    return sorted(
        (f.end_lineno or f.lineno) - f.lineno + 1 for one in SOURCES for f in one.functions
    )


def larger(prefixes: tuple[str, ...], most: int) -> dict[str, int]:
    """What of these is longer in lines of code."""
    return {s.name: s.code for s in SOURCES if s.name.startswith(prefixes) and s.code > most}


def test_files() -> None:
    """No file is longer than 400 lines; the median is 90 to 280, packages' own files left out."""
    assert {s.name: s.lines for s in SOURCES if s.lines > 400} == {}
    assert 90 <= median(s.lines for s in SOURCES if not s.path.name.startswith("__")) <= 280


def test_functions() -> None:
    """The median function has 5 to 10 lines, nine of ten at most 35, none more than 50."""
    found = lengths()
    assert 5 <= median(found) <= 10
    assert quantiles(found, n=10)[-1] <= 35
    assert found[-1] <= 50


def test_adapters_and_stores() -> None:
    """An adapter's file has at most 200 lines of code, a store's at most 300."""
    assert larger(ADAPTERS, 200).keys() == LARGER.keys()
    assert larger(STORES, 300) == {}


@pytest.mark.parametrize("one", SOURCES, ids=lambda one: one.name)
def test_names(one: Source) -> None:
    """No module is called by what it is not: utils, helpers, common, misc."""
    words = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not words & set(one.path.stem.split("_")) and not words & set(one.path.parent.parts[-2:])
