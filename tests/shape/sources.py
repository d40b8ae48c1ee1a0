"""The source tree as its own tests read it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).parents[2]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


@dataclass(frozen=True)
class Source:
    """One module of the library."""

    path: Path

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """All of it, parsed."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """Where it is below `src/seeother`."""
        return self.path.relative_to(ROOT / "src" / "seeother").as_posix()

    @property
    def module(self) -> str:
        """Its dotted name."""
        parts = self.path.relative_to(ROOT / "src").with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def lines(self) -> int:
        """How long it is."""
        return self.text.count("\n")

    @cached_property
    def code(self) -> int:
        """How many of its lines are code: no docstrings, comments or empty lines."""
        essays = {n for node in ast.walk(self.tree) for n in _docstring(node)}
        numbered = enumerate(map(str.strip, self.text.splitlines()), 1)
        return sum(n not in essays and line != "" and line[0] != "#" for n, line in numbered)

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]


def _docstring(node: ast.AST) -> Iterator[int]:
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        first = node.body[0]
        yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def sources() -> list[Source]:
    """Every module."""
    return [Source(path) for path in sorted((ROOT / "src" / "seeother").rglob("*.py"))]


SOURCES: Final = sources()
