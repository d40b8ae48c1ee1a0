"""The attacks themselves: bare they do what they are feared for, with seeother they do nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.versus.__main__ import write
from tests.versus.jar import LARGEST, Jar
from tests.versus.report import faults, table
from tests.versus.run import ATTACKS, attacked
from tests.versus.shops import FRAMEWORKS
from tests.versus.trial import Attack, Fault, Result

FEW = 0.01  # one trial of each attack, two of a double click
HARM = ("double click", "disconnect + retry", "session updates", "prefetch", "two tabs in turn")
MORE = ("crash before the answer", "kill -9", "64 KB message", "lost page answer")


def test_nothing_goes_wrong_with_seeother() -> None:
    """A few attacks on the shop in Flask come to nothing, but for the limit that is stated."""
    attacks = [one for one in ATTACKS if one.name in HARM + MORE]
    results = attacked(FRAMEWORKS[0], protected=True, attacks=attacks, scale=FEW)
    failed = {name: str(one) for name, one in results.items() if one.failed}
    assert failed == {"lost page answer": "1 no message"}
    assert faults({("flask", True): results}) == []


def test_the_attacks_do_harm() -> None:
    """Without seeother each of them finds what it looks for."""
    attacks = [one for one in ATTACKS if one.name in HARM]
    bare = attacked(FRAMEWORKS[0], protected=False, attacks=attacks, scale=FEW)
    assert {name for name, result in bare.items() if result.failed} == set(HARM)
    assert bare["double click"].faults == {Fault.TWICE: 2}


def test_a_cookie_of_a_browser() -> None:
    """A jar keeps what a browser keeps: by path, until it expires, up to 4096 octets."""
    jar = Jar()
    jar.keep("one=1; Path=/; HttpOnly")
    jar.keep("two=2; Path=/shop")
    jar.keep(f"three={'x' * LARGEST}; Path=/")
    assert jar.ignored == 1
    assert jar.field("/shop/tea") == [("Cookie", "two=2; one=1")]
    assert jar.field("/shopping") == [("Cookie", "one=1")]
    jar.keep(f"one={'x' * LARGEST}")
    assert jar.field("/") == [("Cookie", "one=1")]
    jar.keep("one=; Max-Age=0; Path=/")
    jar.keep("two=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/shop")
    assert jar.field("/shop") == []


@pytest.fixture
def results() -> dict[tuple[str, bool], dict[str, Result]]:
    """Bare everything fails, with seeother one trial of one attack."""

    def result(attack: Attack, *, protected: bool) -> Result:
        failed = 1 if protected and attack.name == "prefetch" else 0 if protected else 4
        seconds: list[tuple[float, ...]] = [(0.25, 0.5), (0.2, 0.2), (0.2, 0.3)]
        return Result(4, failed, Counter([Fault.SILENT] * failed), seconds)

    return {
        (one.name, arm): {attack.name: result(attack, protected=arm) for attack in ATTACKS}
        for one in FRAMEWORKS
        for arm in (False, True)
    }


def test_what_is_written(
    tmp_path: Path, results: dict[tuple[str, bool], dict[str, Result]]
) -> None:
    """The page has a line for each attack and the picture a mark for each cell."""
    write(results, tmp_path)
    page = (tmp_path / "versus.md").read_text("utf-8")
    assert all(f"\n| {attack.name} | 4 | 4 no message | " in page for attack in ATTACKS)
    assert "| Flask | 1.50 | 1.50 |" in page
    assert "+ @so.once(db)" in page
    picture = ET.parse(tmp_path / "versus.svg").getroot()
    classes = [element.get("class") for element in picture.iter() if element.tag[-4:] != "rect"]
    assert classes.count("flask") == len(ATTACKS) - 1  # what is 0 is a dot


def test_a_fault_of_seeother_fails_the_run(
    results: dict[tuple[str, bool], dict[str, Result]],
) -> None:
    """What is not 0 with seeother is named; what is not 0 bare is what the table is for."""
    assert faults(results) == [
        f"{one.name} with seeother, prefetch: 1 no message" for one in FRAMEWORKS
    ]
    assert table(results).count("1 no message") == len(FRAMEWORKS)


def test_a_limit_is_no_more_than_it_says(
    results: dict[tuple[str, bool], dict[str, Result]],
) -> None:
    """What is lost with the answer of a page is its message; anything else is a fault there too."""
    lost = results["flask", True]["lost page answer"]
    before = faults(results)
    lost.faults[Fault.SILENT] = 4
    assert faults(results) == before
    lost.faults[Fault.TWICE] = 1
    assert len(faults(results)) == len(before) + 1
