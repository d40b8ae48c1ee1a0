"""The mutation run itself: what counts as a mistake, that one is noticed, and what is listed.

The run over all modules is `make mutants`; here stands what must hold for its figures to mean
anything.
"""

import ast
import subprocess
import sys

import pytest

from tests.mutation.__main__ import TARGETS, Report, faults, listed
from tests.mutation.operators import Mutant, mutants
from tests.mutation.trial import ROOT, Fate, Target

LEDGER = Target("seeother.core.ledger", ("tests/core/test_ledger.py",))


def changes(source: str) -> list[str]:
    """What is changed in a function with this body."""
    body = "\n".join(f"    {line}" for line in source.splitlines())
    found = [one.change for one in mutants(f"def f(a, b):\n{body}\n")]
    return sorted(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("return", []),
        ("return a", ["return a => return None"]),
        ("return a < b", ["a < b => a <= b", "a < b => a >= b", "return a < b => return None"]),
        ("return a is b", ["a is b => a is not b", "return a is b => return None"]),
        (
            "return a and b",
            ["a and b => a", "a and b => a or b", "a and b => b", "return a and b => return None"],
        ),
        ("a(b)", ["a(b) => pass"]),
        ("a(b, 1)", ["1 => 0", "1 => 2", "a(b, 1) => a(1, b)", "a(b, 1) => pass"]),
        ("a(b=b)", ["a(b=b) => a()", "a(b=b) => pass"]),
        ("a = True", ["True => False", "a = True => pass"]),
        ("a = 'x'", ["'x' => 'x\"'", "a = 'x' => pass"]),
        ("a = b''", ["a = b'' => pass", "b'' => b'\"'"]),
        ("a += b", ["a += b => a -= b", "a += b => pass"]),
        ("if not a: b()", ["b() => pass", "if not a: b() => if a: b()"]),
        ("raise a", ["raise a => pass"]),
        ("a = -b", ["-b => b", "a = -b => pass"]),
        ("a = b[1:]", ["1 => 0", "1 => 2", "1: => :", "a = b[1:] => pass"]),
        ("a = (b,)", ["(b,) => ()", "a = (b,) => pass"]),
        ("a = {b: a}", ["a = {b: a} => pass", "{b: a} => {}"]),
        ("for a in b: a()", ["a() => pass", "for a in b: a() => for a in (): a()"]),
        ("a = yield from b", ["(yield from b) => None", "a = (yield from b) => pass"]),
        (
            "try: a()\nexcept KeyError: b()",
            ["a() => pass", "b() => pass", "except KeyError: b() => except KeyError: raise"],
        ),
        (
            "match a:\n case 1 | 2 if b: pass",
            [
                "1 => 0",
                "1 => 2",
                "1 | 2 => 1",
                "1 | 2 => 2",
                "2 => 1",
                "2 => 3",
                "case 1 | 2 if b: pass => case 1 | 2 if not b: pass",
                "case 1 | 2 if b: pass => case 1 | 2: pass",
            ],
        ),
        ('"""Words."""', []),
    ],
)
def test_what_counts_as_a_small_mistake(source: str, expected: list[str]) -> None:
    """For each kind of syntax all that a tired person might have written, and nothing else."""
    assert changes(source) == expected


def test_annotations_decide_nothing() -> None:
    """No mutant differs in one alone."""
    assert [one.change for one in mutants("def f(a: int = 1) -> 'x | 2': ...")] == [
        "1 => 2",
        "1 => 0",
        "... => pass",
    ]


def test_members_of_an_enumeration_are_mistaken_for_each_other() -> None:
    """`E.A` where `E.B` belongs is the mistake that tables invite."""
    source = "class E(Enum):\n    A = b\n    B = c\nd = E.A"
    assert ("", "E.A => E.B") in [one.name for one in mutants(source)]


def test_every_mutant_is_another_and_can_be_compiled() -> None:
    """Each has a name and a text of its own, none has the text of the original."""
    for target in TARGETS:
        source = target.path.read_text("utf-8")
        found = list(mutants(source))
        assert len(found) > 100
        assert len({one.name for one in found}) == len({one.source for one in found}) == len(found)
        assert ast.unparse(ast.parse(source)) not in {one.source for one in found}
        compile(found[0].source, target.path, "exec")


def test_what_survives_is_listed_with_a_reason() -> None:
    """Each line of the list names a mutant that exists, and says why no test can notice it."""
    modules = {target.module: target for target in TARGETS}
    for module, known in listed().items():
        names = {one.name for one in mutants(modules[module].path.read_text("utf-8"))}
        assert known.keys() <= names, known.keys() - names
        assert all(reason.endswith(".") for reason in known.values())


TRIAL = """
from tests.mutation.test_mutation import LEDGER
from tests.mutation.trial import tried, warm

source = LEDGER.path.read_text("utf-8")
warm([LEDGER])
for old, new in (("", ""), ("now < row.lease", "now <= row.lease"), ("KEEP: Final", "KEPT: Final")):
    assert old in source
    print(tried(LEDGER, source.replace(old, new) if old else source).name)
"""


def test_a_mistake_is_noticed_and_its_absence_too() -> None:
    """For real: the module as it is survives, one mistake is found by a test, one by the import."""
    run = [sys.executable, "-c", TRIAL]
    done = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["SURVIVED", "FAILED", "UNUSABLE"]


def test_the_bound_and_the_list_are_kept() -> None:
    """Too many survivors, one that is not listed, one that is listed in vain: each is a fault."""
    killed = {Mutant("f", str(n), ""): Fate.FAILED for n in range(95)}
    alive = {Mutant("f", f"alive {n}", ""): Fate.SURVIVED for n in range(5)}
    known = {mutant.name: "Equal." for mutant in alive}
    assert faults(Report(LEDGER, {**killed, **alive}), known) == []
    one_more = {**killed, **alive, Mutant("f", "new", ""): Fate.SURVIVED}
    assert faults(Report(LEDGER, one_more), known) == [
        "fewer than 95% were killed",
        "survives, and is not listed: f: new",
    ]
    stale = {**known, ("f", "0"): "Equal."}
    assert faults(Report(LEDGER, {**killed, **alive}), stale) == [
        "listed, and does not survive: f: 0"
    ]
