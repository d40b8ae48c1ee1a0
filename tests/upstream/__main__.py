"""`python -m tests.upstream [suite...]`: run them, a line for each, and say what differs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .expected import EXPECTED
from .projects import CACHE, NotFetched
from .results import Results, Verdict, compare
from .running import outcome
from .suites import SUITES, Suite

USAGE: Final = "python -m tests.upstream [--list] [--verbose] [--lint] [suite...]"
FLAGS: Final = frozenset({"--list", "--verbose", "--lint"})


def main(arguments: list[str]) -> int:
    """Run the suites that were named, or all; returns the exit code.

    `clients` fetches the scripts of tests/clients, and no suite.
    """
    if arguments == ["clients"]:
        return clients()
    named = [one for one in arguments if not one.startswith("-")]
    chosen = [one for one in SUITES if not named or one.name.startswith(tuple(named))]
    lint = "--lint" in arguments
    chosen = [one for one in chosen if one.lints or not lint]
    if not chosen or set(arguments) - {*named, *FLAGS}:
        print(USAGE, file=sys.stderr)
        return 2
    if "--list" in arguments:
        for suite in chosen:
            print(f"{suite.name:18}{suite.project.name} {suite.project.version}: {suite.says}")
        return 0
    try:
        verdicts = run(chosen, verbose="--verbose" in arguments, lint=lint)
    except NotFetched as error:
        print(f"a project could not be fetched:\n{error}", file=sys.stderr)
        return 1
    return 0 if all(verdicts) else 1


def clients() -> int:
    """Fetch what `make clients` loads into its pages; returns the exit code."""
    from tests.clients.scripts import SCRIPTS, fetch

    try:
        fetch()
    except NotFetched as error:
        print(f"a script could not be fetched:\n{error}", file=sys.stderr)
        return 1
    for one in SCRIPTS.values():
        print(f"ok   {one.package} {one.version}: {one.path.relative_to(CACHE.parent)}")
    return 0


def run(suites: Iterable[Suite], *, verbose: bool, lint: bool) -> list[bool]:
    """Run each of them twice; suites with the same bare run share it.

    With `lint` a bare run has the checkers where seeother would be: what they find there is a fault
    of the test, and what they find beyond that is one of ours.
    """
    bare: dict[object, Results] = {}
    good: list[bool] = []
    for suite in suites:
        suite.project.fetch()
        name = f"{suite.name}-lint" if lint else suite.name
        if suite.bare not in bare:
            log = CACHE / "logs" / f"{name}-bare.log"
            bare[suite.bare] = outcome(suite, protected=lint, log=log, lint="alone" if lint else "")
        log = CACHE / "logs" / f"{name}.log"
        protected = outcome(suite, protected=True, log=log, lint="around" if lint else "")
        wanted = {"least": suite.linted if lint else suite.least, "visits": suite.visits}
        expected = EXPECTED.get(suite.name, {})
        verdict = compare(bare[suite.bare], protected, expected, **wanted)
        if lint:  # some of those fail between checkers, with us and without
            verdict = replace(verdict, stale=())
        print(line(suite, bare[suite.bare], protected, verdict), flush=True)
        for text in explained(verdict, verbose=verbose):
            print(text, flush=True)
        if not verdict.good:
            print(f"    see {log}", flush=True)
        good.append(verdict.good)
    return good


def line(suite: Suite, bare: Results, protected: Results, verdict: Verdict) -> str:
    """One line about one suite."""
    named = sum(1 for one in verdict.differences if one.reason)
    open_ = f", unclosed {dict(bare.unclosed)} {dict(protected.unclosed)}" if bare.unclosed else ""
    return (
        f"{'ok  ' if verdict.good else 'FAIL'} {suite.name:18}"
        f"{suite.project.name} {suite.project.version}: bare {bare}; with seeother {protected},"
        f" {protected.visits} requests{open_}; {named} expected differences,"
        f" {len(verdict.differences) - named} others"
    )


def explained(verdict: Verdict, *, verbose: bool) -> Iterable[str]:
    """What there is to be looked at, and with `verbose` also what was expected."""
    for one in verdict.differences:
        if one.reason and verbose:
            yield f"    expected: {one.test} ({one.reason})"
        elif not one.reason:
            yield f"    {one.became}: {one.test}"
    yield from (f"    expected, and did not happen: {pattern}" for pattern in verdict.stale)
    yield from (f"    {complaint}" for complaint in verdict.complaints)


sys.exit(main(sys.argv[1:]))
