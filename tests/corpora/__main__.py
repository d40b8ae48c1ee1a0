"""`python -m tests.corpora [source...]`: plant into every document, a line for each source."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.upstream.projects import NotFetched

from .judge import Verdict, judge, numbered
from .sources import SOURCES, Source

USAGE: Final = "python -m tests.corpora [--list] [--verbose] [source...]"
MAY_LEAVE: Final = 0.04  # of all forms: those near an island, noscript or select that is broken
POST: Final = b"<form method=post>"
_FORM = re.compile(rb"<form(?=[\t\n\f\r />])", re.IGNORECASE)


def variants(document: bytes) -> Iterator[tuple[str, bytes]]:
    """The document with forms that post: its own, and one before, behind and around it."""
    if _FORM.search(document):
        yield "own", _FORM.sub(b"<form method=post", document)
    yield "before", POST + b"</form>" + document
    yield "behind", document + POST + b"<p>text<input name=q></form>"
    yield "around", POST + document + b"</form>" + POST + b"<input name=q></form>"


class Tally:
    """What came out of many documents."""

    def __init__(self) -> None:
        self.documents = self.wanted = self.left_alone = self.alone = 0
        self.faults: Counter[str] = Counter()
        self.named: list[str] = []

    def add(self, name: str, html: bytes, verdict: Verdict) -> None:
        """One more."""
        self.documents += 1
        self.wanted += verdict.wanted
        self.left_alone += verdict.left_alone
        self.alone += verdict.alone
        self.faults.update(verdict.faults)
        if verdict.faults:
            self.named.append(f"{', '.join(verdict.faults)}: {name}: {html[:200]!r}")

    def __str__(self) -> str:
        return (
            f"{self.documents} documents ({self.alone} judged by lexbor alone), {self.wanted} forms"
            f" that post, {self.left_alone} left alone, {sum(self.faults.values())} faults"
        )


def run(source: Source, seen: set[bytes], *, verbose: bool) -> Tally:
    """Judge all documents of one source that none before it had."""
    tally, read = Tally(), 0
    for name, document in source.documents():
        read += 1
        if document in seen:
            continue
        seen.add(document)
        for kind, html in variants(document):
            tally.add(f"{name} {kind}", html, judge(numbered(html)))
    if read < source.least:
        tally.faults["too few documents"] += 1
    print(f"{'FAIL' if tally.faults else 'ok  '} {source.name} {source.version}: {read}, {tally}")
    for line in tally.named[: None if verbose else 20]:
        print(f"    {line}", flush=True)
    return tally


def main(arguments: list[str]) -> int:
    """Judge the sources that were named, or all; returns the exit code."""
    named = tuple(one for one in arguments if not one.startswith("-"))
    chosen = [one for one in SOURCES if not named or one.name.startswith(named)]
    if not chosen or set(arguments) - {*named, "--list", "--verbose"}:
        print(USAGE, file=sys.stderr)
        return 2
    if "--list" in arguments:
        for source in chosen:
            print(f"{source.name:12}{source.version:8}{source.says}")
        return 0
    seen: set[bytes] = set()
    try:
        done = [run(source, seen, verbose="--verbose" in arguments) for source in chosen]
    except NotFetched as error:
        print(f"a source could not be fetched:\n{error}", file=sys.stderr)
        return 1
    alone, wanted = sum(one.left_alone for one in done), sum(one.wanted for one in done)
    print(f"{wanted} forms, {wanted - alone} with one field each, {alone} in pages left alone")
    return 1 if any(one.faults for one in done) or alone > MAY_LEAVE * wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
