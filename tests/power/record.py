"""The app whose disk is recorded: `python -m tests.power.record FOLDER SEED SUBMISSIONS`.

For every mode and every way to write it makes a folder, serves a site there from two threads and
sends it forms, most of them more than once. Each answer is written to the file `said` in one write:
so the recording knows what anybody had been told at any moment. The last line of output says, as
JSON, which cookies and tokens belong to which folder.

A checkpoint usually comes with the thousandth page of a WAL. Here it comes far more often, because
that is when SQLite writes into the file itself.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any, Final

from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import tokens
from tests.crash.judge import Told
from tests.crash.site import Site

MODES: Final = ("joined", "fenced", "separate")
SYNCHRONOUS: Final = ("NORMAL", "FULL")
COMBINATIONS: Final = tuple((mode, how) for mode in MODES for how in SYNCHRONOUS)
SAID: Final = "said"
THREADS: Final = 2
CHECKPOINT: Final = 12
PATIENCE: Final = 20.0  # however busy this machine is, no answer goes out unrecorded


def name(mode: str, synchronous: str) -> str:
    """The folder of a mode and of how the app writes."""
    return f"{mode}-{synchronous}".lower()


def often(dice: Random, count: int) -> list[str]:
    """The labels in the order in which they are sent; some again, soon or later."""
    sends = [(n + dice.uniform(0.0, 3.0), str(n)) for n in range(count)]
    sends += [(n + dice.choice((0.5, 2.0, 9.0)), str(n)) for n in range(count) if n % 3]
    return [label for _, label in sorted(sends)]


def play(folder: Path, mode: str, synchronous: str, dice: Random, count: int) -> dict[str, Any]:
    """Send the forms from two threads; the cookies and tokens."""
    site = Site(folder, mode, synchronous=synchronous, patience=PATIENCE)
    site.prepare()
    other = sqlite3.connect(folder / "app.db")  # of another worker: no WAL ends with each request
    other.execute("SELECT * FROM effect").fetchall()
    visitor = Browser(WSGIClient(site.app))
    visitor.get()  # a first page, so that the tokens belong to a visitor
    found = {str(n): "".join(tokens(visitor.get())) for n in range(count)}
    sends, said = often(dice, count), os.open(folder / SAID, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def send(labels: list[str]) -> None:
        browser = Browser(WSGIClient(site.app))
        browser.cookies |= visitor.cookies
        for label in labels:
            answer = browser.post({"label": label, "so_token": found[label]})
            location = answer.header("location") or ""
            told = Told(time.monotonic(), label, answer.status, location, answer.text)
            os.write(said, json.dumps(told).encode() + b"\n")

    threads = [threading.Thread(target=send, args=(sends[n::THREADS],)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(said)
    site.shut()
    other.close()
    return {"cookies": visitor.cookies, "tokens": found}


def hasten() -> None:
    """Let every connection of this process check the WAL in every few pages."""
    connect = sqlite3.connect

    def hastened(*args: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **more)
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
        return connection

    sqlite3.connect = hastened  # type: ignore[assignment]


def main(folder: str, seed: str, count: str) -> None:
    """All combinations, one after the other."""
    dice, forms = Random(int(seed)), {}
    hasten()
    for mode, synchronous in COMBINATIONS:
        place = Path(folder, name(mode, synchronous))
        place.mkdir()
        forms[place.name] = play(place, mode, synchronous, dice, int(count))
    print(json.dumps(forms))


if __name__ == "__main__":
    main(*sys.argv[1:])
