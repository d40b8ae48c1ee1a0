"""Many documents made by chance: no form is missed, no field goes astray, no other byte changes."""

import os
from collections import Counter

import pytest

from seeother.core import html as planting_of_pages
from seeother.core import planting
from tests.corpora.fuzz import FAMILIES, documents
from tests.corpora.judge import DOUBTFUL, FIELD, NOSCRIPT, by_lexbor, judge, numbered, planted

NUMBER = int(20_000 * float(os.environ.get("SCALE", "1")) / len(FAMILIES))
SEED = 5
BOTH_JUDGES = 100  # of so many documents one is also for html5lib, and cut into chunks


@pytest.mark.parametrize("family", FAMILIES)
def test_fuzzed_documents(family: str) -> None:
    """Every form that lexbor sees has one field of its own, or none in a page left alone."""
    forms = fields = 0
    for number, document in enumerate(documents(family, SEED, NUMBER)):
        html = numbered(document)
        result = planted(html).decode()
        assert FIELD.sub("", result) == html.decode()
        sight = by_lexbor(result.encode())
        if NOSCRIPT.search(html):
            scripted = by_lexbor(result.encode(), scripting=True)
            assert scripted.forms >= set(scripted.owners), result
        owners = Counter(sight.owners)
        assert not owners or max(owners.values()) == 1, result
        assert sight.forms >= set(owners), result
        if family == "tidy" or not DOUBTFUL.search(html):
            assert sight.forms == set(owners), result
        forms, fields = forms + len(sight.forms), fields + len(owners)
        if number % BOTH_JUDGES == 0:
            assert not judge(html, chunks=(1, 7)).faults, result
    print(f"\n{family}: {NUMBER} documents, {forms} forms that post, {fields} fields")
    assert forms > NUMBER // 4


@pytest.mark.parametrize("hold", [40, 100])
def test_long_documents_in_chunks(hold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more comes than is held back, the same bytes come out for every way of cutting."""
    for module in (planting, planting_of_pages):
        monkeypatch.setattr(module, "HOLD", hold)
    late = (b"<base href=//b>", b"<button form=f formaction=//b>", b"")
    for number, document in enumerate(documents("wild", SEED + 1, NUMBER // 10)):
        html = document + b"<form id=f method=post action=x></form>" + document + late[number % 3]
        whole = planted(html, len(html) + 1)
        assert all(planted(html, size) == whole for size in (1, 7, hold, hold + 1)), html
