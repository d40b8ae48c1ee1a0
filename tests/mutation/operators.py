"""Small mistakes: for each kind of syntax, what a tired person might have written instead.

`mutants` changes one place of a syntax tree at a time and writes the whole tree down again. Where
two operators come to the same text it is one mutant; docstrings and annotations decide nothing and
stay as they are.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

SWAPS: Final[dict[type[ast.AST], tuple[type[ast.AST], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
}
REMOVABLE: Final = (
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.Raise,
    ast.Assert,
    ast.Break,
    ast.Continue,
)
UNREAD: Final = frozenset({"annotation", "returns", "ctx"})
NOTHING: Final = ast.Constant(None)
LONGEST: Final = 160


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: where it is, what it is, and the whole source text with it."""

    where: str
    change: str
    source: str

    @property
    def name(self) -> tuple[str, str]:
        """What it is called as long as this place of the source stays as it is."""
        return self.where, self.change


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a source text, each once.

    >>> [mutant.change for mutant in mutants("def f(a):\\n    return a < 2")]
    ['return a < 2 => return None', 'a < 2 => a <= 2', 'a < 2 => a >= 2', '2 => 3', '2 => 1']
    """
    tree = ast.parse(source)
    members = _members(tree)
    seen, names = {ast.unparse(tree)}, Counter[tuple[str, str]]()
    for site in _sites(tree):
        for new in _variants(site.node, members, inside=site.where != ""):
            site.put(new)
            text = ast.unparse(tree)
            site.put(site.node)
            if text not in seen:
                seen.add(text)
                change = f"{_short(site.node)} => {_short(new)}"
                names[site.where, change] += 1
                number = names[site.where, change]
                yield Mutant(site.where, change if number == 1 else f"{change} #{number}", text)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


# Places -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Site:
    """A node and the place in which it stands; `where` is the function or class around it."""

    node: ast.AST
    put: Callable[[ast.AST], None]
    where: str


def _sites(node: ast.AST, where: str = "") -> Iterator[_Site]:
    for field, value in ast.iter_fields(node):
        if field in UNREAD:
            continue
        for place, child in _children(node, field, value):
            if _is_docstring(child):
                continue
            yield _Site(child, place, where)
            name = getattr(child, "name", None) if isinstance(child, ast.stmt) else None
            yield from _sites(child, f"{where}.{name}".lstrip(".") if name else where)


def _children(
    node: ast.AST, field: str, value: object
) -> Iterator[tuple[Callable[[ast.AST], None], ast.AST]]:
    if isinstance(value, ast.AST):
        yield lambda new: setattr(node, field, new), value
    elif isinstance(value, list):
        for number, child in enumerate(value):
            if isinstance(child, ast.AST):
                yield lambda new, n=number: value.__setitem__(n, new), child  # type: ignore[misc]


def _is_docstring(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _members(tree: ast.Module) -> dict[str, list[str]]:
    """The enumerations of a module and the names of their members."""
    return {
        node.name: [one.targets[0].id for one in node.body if _is_member(one)]  # type: ignore[attr-defined]
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(b, ast.Name) and b.id.endswith("Enum") for b in node.bases)
    }


def _is_member(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


# Mistakes -----------------------------------------------------------------------------------


def _variants(node: ast.AST, members: dict[str, list[str]], *, inside: bool) -> Iterator[ast.AST]:
    """What could stand here instead."""
    if inside and isinstance(node, REMOVABLE):
        yield ast.Pass()
    for kinds, mistake in MISTAKES:
        if isinstance(node, kinds):
            yield from mistake(node)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        others = members.get(node.value.id, [])
        if node.attr in others:
            following = others[(others.index(node.attr) + 1) % len(others)]
            yield _with(node, attr=following)


def _with(node: Any, **changes: object) -> Any:
    """A copy of a node with other fields."""
    new = copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _without(node: Any, field: str, least: int = 0) -> Iterator[ast.AST]:
    """The node without one element of a field, for each of them."""
    items = getattr(node, field)
    for number in range(len(items) if len(items) > least else 0):
        yield _with(node, **{field: items[:number] + items[number + 1 :]})


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for number, op in enumerate(node.ops):
        for other in SWAPS[type(op)]:
            yield _with(node, ops=[*node.ops[:number], other(), *node.ops[number + 1 :]])


def _connective(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=SWAPS[type(node.op)][0]())
    for rest in _without(node, "values", 1):
        yield rest.values[0] if len(rest.values) == 1 else rest  # type: ignore[attr-defined]


def _arithmetic(node: ast.BinOp | ast.AugAssign) -> Iterator[ast.AST]:
    for other in SWAPS.get(type(node.op), ()):
        yield _with(node, op=other())


def _sign(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool(value):
            yield ast.Constant(not value)
        case int(value) | float(value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case str(value):  # a quote, because hardly any reader of a text takes it for nothing
            yield ast.Constant(f'{value}"')
        case bytes(value):
            yield ast.Constant(value + b'"')


def _condition(node: ast.If | ast.While | ast.IfExp | ast.Assert) -> Iterator[ast.AST]:
    yield _with(node, test=_negated(node.test))


def _filter(node: ast.comprehension) -> Iterator[ast.AST]:
    yield from _without(node, "ifs")
    yield _with(node, iter=ast.Tuple([], ast.Load()))


def _loop(node: ast.For) -> Iterator[ast.AST]:
    yield _with(node, iter=ast.Tuple([], ast.Load()))


def _answer(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None:
        yield _with(node, value=NOTHING)


def _handler(node: ast.ExceptHandler) -> Iterator[ast.AST]:
    yield _with(node, body=[ast.Raise()])


def _case(node: ast.match_case) -> Iterator[ast.AST]:
    if node.guard is not None:
        yield _with(node, guard=None)
        yield _with(node, guard=_negated(node.guard))


def _cases(node: ast.Match) -> Iterator[ast.AST]:
    yield from _without(node, "cases", 1)


def _alternatives(node: ast.MatchOr) -> Iterator[ast.AST]:
    for rest in _without(node, "patterns", 1):
        yield rest.patterns[0] if len(rest.patterns) == 1 else rest  # type: ignore[attr-defined]


def _call(node: ast.Call) -> Iterator[ast.AST]:
    yield from _without(node, "keywords")
    for number, (one, two) in enumerate(pairwise(node.args)):
        yield _with(node, args=[*node.args[:number], two, one, *node.args[number + 2 :]])


def _elements(node: ast.Tuple | ast.List | ast.Set) -> Iterator[ast.AST]:
    if not isinstance(getattr(node, "ctx", None), ast.Store):
        yield from _without(node, "elts")


def _entries(node: ast.Dict) -> Iterator[ast.AST]:
    for number in range(len(node.keys)):
        keys = node.keys[:number] + node.keys[number + 1 :]
        yield ast.Dict(keys, node.values[:number] + node.values[number + 1 :])


def _part(node: ast.Slice) -> Iterator[ast.AST]:
    for bound in ("lower", "upper"):
        if getattr(node, bound) is not None:
            yield _with(node, **{bound: None})


def _question(_node: ast.YieldFrom | ast.Await) -> Iterator[ast.AST]:
    yield NOTHING


MISTAKES: Final[tuple[tuple[Any, Callable[[Any], Iterator[ast.AST]]], ...]] = (
    (ast.Compare, _comparison),
    (ast.BoolOp, _connective),
    ((ast.BinOp, ast.AugAssign), _arithmetic),
    (ast.UnaryOp, _sign),
    (ast.Constant, _constant),
    ((ast.If, ast.While, ast.IfExp, ast.Assert), _condition),
    (ast.comprehension, _filter),
    (ast.For, _loop),
    (ast.Return, _answer),
    (ast.ExceptHandler, _handler),
    (ast.match_case, _case),
    (ast.Match, _cases),
    (ast.MatchOr, _alternatives),
    (ast.Call, _call),
    ((ast.Tuple, ast.List, ast.Set), _elements),
    (ast.Dict, _entries),
    (ast.Slice, _part),
    ((ast.YieldFrom, ast.Await), _question),
)
