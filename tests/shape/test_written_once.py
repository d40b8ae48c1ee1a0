"""Nothing is written twice, once sync and once async: flows are, and two drivers run them."""

import ast
from collections.abc import Iterator
from itertools import product
from typing import Final

from tests.shape.sources import SOURCES, Function

ALIKE: Final = 0.75
LINES: Final = 5
# Where there are twins, and why.
TWICE: Final = {
    "drive.py": "the two drivers: all that waits is there",
    "django/exchange.py": "one call of each driver; Django's views are of both kinds",
    "django/answers.py": "a streaming answer is an iterator of either kind",
    "django/sessions.py": "SessionBase has the asynchronous names, too (Django 5.1)",
}


class Sync(ast.NodeTransformer):
    """The same code without `async` and `await`."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        return ast.FunctionDef(**vars(node))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        return ast.For(**vars(node))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        return ast.With(**vars(node))


def body(function: Function) -> frozenset[str]:
    """The lines of a function as far as they could be somebody else's, too."""
    start = 1 if ast.get_docstring(function) is not None else 0
    plain = [Sync().visit(ast.parse(ast.unparse(node))) for node in function.body[start:]]
    return frozenset(line.strip() for node in plain for line in ast.unparse(node).splitlines())


def pairs() -> Iterator[tuple[str, str]]:
    """Coroutines that say the same as some plain function."""
    every = [(s.name, f, body(f)) for s in SOURCES if s.name != "drive.py" for f in s.functions]
    long = [(f"{name}: {f.name}", f, lines) for name, f, lines in every if len(lines) >= LINES]
    waiting = [one for one in long if isinstance(one[1], ast.AsyncFunctionDef)]
    plain = [one for one in long if isinstance(one[1], ast.FunctionDef)]
    for (a, _, left), (b, _, right) in product(waiting, plain):
        if len(left & right) >= ALIKE * max(len(left), len(right)):
            yield a, b


def test_nothing_is_written_twice() -> None:
    """No coroutine repeats the lines of a function; what both need is a flow."""
    assert list(pairs()) == []


def test_the_comparison_sees_through_await() -> None:
    """A function and its asynchronous copy have the same lines."""
    waiting, plain = ast.parse(
        "async def f(a):\n async for b in await a:\n  await b\ndef g(a):\n for b in a:\n  b\n"
    ).body
    assert isinstance(waiting, Function) and isinstance(plain, Function)
    assert body(waiting) == body(plain) == {"for b in a:", "b"}


def test_twins_have_a_reason() -> None:
    """A name and its twin with an `a` before it stand side by side where there is a reason."""
    twins = {
        s.name
        for s in SOURCES
        for f in s.functions
        if isinstance(f, ast.AsyncFunctionDef)
        and {f"_{f.name[2:]}", f.name[1:]}
        & {g.name for g in s.functions if isinstance(g, ast.FunctionDef)} - {f.name}
    }
    assert twins == TWICE.keys()
