"""Nothing is written twice, once sync and once async: flows are, and two drivers run them."""

import ast
from collections.abc import Iterator
from itertools import product
from typing import Final

from tests.shape.sources import SOURCES, Function

ALIKE: Final = 0.75
LINES: Final = 5
# The driver is where it has to be: what waits is different, and all that waits is there.
TWICE: Final = {"drive.py"}


class Sync(ast.NodeTransformer):
    """The same code without `async` and `await`."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

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
    every = [(s.name, f, body(f)) for s in SOURCES if s.name not in TWICE for f in s.functions]
    long = [(f"{name}: {f.name}", f, lines) for name, f, lines in every if len(lines) >= LINES]
    waiting = [one for one in long if isinstance(one[1], ast.AsyncFunctionDef)]
    plain = [one for one in long if isinstance(one[1], ast.FunctionDef)]
    for (a, _, left), (b, _, right) in product(waiting, plain):
        if len(left & right) >= ALIKE * max(len(left), len(right)):
            yield a, b


def test_nothing_is_written_twice() -> None:
    """No coroutine repeats the lines of a function; what both need is a flow or a plain function."""
    assert list(pairs()) == []


def test_only_the_drivers_have_twins() -> None:
    """A name and its twin with an `a` before it stand side by side in the driver alone."""
    twins = {
        s.name
        for s in SOURCES
        for f in s.functions
        if isinstance(f, ast.AsyncFunctionDef)
        and {f"_{f.name[2:]}", f.name[1:]}
        & {g.name for g in s.functions if isinstance(g, ast.FunctionDef)} - {f.name}
    }
    assert twins <= TWICE
