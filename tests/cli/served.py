"""The demo and the tour as processes."""

import sys
from pathlib import Path

from tests.browser.server import Board, Server


class Demo(Board):
    """`seeother demo` with its data in `folder`."""

    def __init__(self, folder: Path, *more: str) -> None:
        super().__init__(folder)
        self.database = folder / "var" / "board.db"
        words = (sys.executable, "-m", "seeother", "demo", "--db", self.database, *more, "--port")
        self._command = [*map(str, words), str(self.port)]


def tour_of(folder: Path, *more: str) -> Server:
    """`seeother tour` with its data in `folder`."""
    words = [sys.executable, "-m", "seeother", "tour", "--data", str(folder / "tour"), *more]
    return Server(folder, [*words, "--port"])
