"""The judge of `make upstream`: what counts as harm, and what it does not let pass unseen."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.upstream.expected import EXPECTED
from tests.upstream.projects import pinned
from tests.upstream.results import FAILED, GONE, Difference, Results, compare
from tests.upstream.suites import SUITES

BARE = Results({"a": "passed", "b[1]": "passed", "c": "failed", "d": "skipped"})


def after(visits: int = 0, **changed: str) -> Results:
    """The bare run once more, with some outcomes changed; underscores stand for nothing."""
    return Results({**BARE.outcomes, **changed}, visits)


def test_the_same_is_good() -> None:
    """Nothing is different: nothing to say, also of what fails or is skipped in both."""
    assert compare(BARE, after(), {}).good


@pytest.mark.parametrize("became", ["failed", "skipped", "xfailed"])
def test_whatever_no_longer_passes_is_a_difference(became: str) -> None:
    """A test that passed has to pass: to be skipped is not enough."""
    verdict = compare(BARE, after(a=became), {})
    assert verdict.differences == (Difference("a", became),)
    assert not verdict.good


def test_a_test_that_vanishes_is_a_difference() -> None:
    """A test that nobody ran has not passed; so is a run that wrote nothing at all."""
    fewer = Results({name: what for name, what in BARE.outcomes.items() if name != "a"})
    assert compare(BARE, fewer, {}).differences == (Difference("a", GONE),)
    assert len(compare(BARE, Results.read(Path("nothing-here")), {}).differences) == 2


def test_a_failure_that_is_mended_is_none() -> None:
    """What fails bare may do what it likes."""
    assert compare(BARE, after(c="passed"), {}).good


@pytest.mark.parametrize(
    ("expected", "good"),
    [
        ({"b[1]": "why"}, True),
        ({"b[*": "why"}, True),
        ({"*": "why"}, True),
        ({"b1": "why"}, False),  # brackets are no character class
        ({"a": "why"}, False),
    ],
    ids=str,
)
def test_an_expected_difference_is_named(expected: Mapping[str, str], good: bool) -> None:
    """It has to be the very test, and the reason is carried along."""
    verdict = compare(BARE, Results({**BARE.outcomes, "b[1]": FAILED}), expected)
    assert verdict.good is good
    assert [one.reason for one in verdict.differences] == (["why"] if good else [""])


def test_an_excuse_that_nothing_needs_is_a_failure() -> None:
    """The list cannot outlive what it excuses."""
    verdict = compare(BARE, after(), {"a": "why"})
    assert (verdict.stale, verdict.good) == (("a",), False)


def test_too_few_tests_or_requests_are_a_failure() -> None:
    """A suite that hardly ran, or ran beside seeother, has shown nothing."""
    assert compare(BARE, after(5), {}, least=2, visits=5).good
    assert not compare(BARE, after(5), {}, least=3, visits=5).good
    assert not compare(BARE, after(4), {}, least=2, visits=5).good


def test_a_recorder_s_file_is_read(tmp_path: Path) -> None:
    """Outcomes by id, and the number of requests."""
    file = tmp_path / "result.json"
    file.write_text(json.dumps({"outcomes": BARE.outcomes, "visits": 7}))
    found = Results.read(file)
    assert (str(found), found.visits) == ("2 passed, 1 failed", 7)


def test_the_tables_fit_each_other() -> None:
    """Every excuse belongs to a suite, every suite asks for tests and requests."""
    names = [suite.name for suite in SUITES]
    assert EXPECTED.keys() <= set(names)
    assert len(names) == len(set(names))
    assert all(suite.least >= 15 and suite.visits >= 25 for suite in SUITES)
    assert all(reason for listed in EXPECTED.values() for reason in listed.values())


def test_every_project_has_one_version() -> None:
    """constraints.txt says it for this Python, and nobody names an address."""
    for project in {suite.project.name: suite.project for suite in SUITES}.values():
        assert project.version == pinned()[project.name.lower()]
        assert all("==" in line or line.isidentifier() or "-" in line for line in project.needs)
        assert not any("/" in line for line in project.requirements)
