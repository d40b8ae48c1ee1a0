"""The notes of the small app: rows of a file, and what every framework needs of them alike.

A note that begins with "slow" waits until FOLDER/go is there; "bad" is rejected. FOLDER/later moves
the store's clock.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import seeother
from seeother.visit import Visit
from tests.clients.page import SEND_JS, TEXT, page
from tests.clients.scripts import SCRIPTS

SECRET = "the app's own key: at least 32 characters"
BAD = "bad"
WRONG = {TEXT: "Please type something else."}
INSERT = "INSERT INTO note VALUES (:text)"


class Notes:
    """The notes in a folder, and what an app of them needs that is the same everywhere."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / "app.db"
        with closing(sqlite3.connect(self.database)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")

    def all(self) -> list[str]:
        """The notes, newest first."""
        with closing(sqlite3.connect(self.database, timeout=30)) as db:
            return [text for (text,) in db.execute("SELECT text FROM note ORDER BY rowid DESC")]

    def wait(self, text: str) -> None:
        """A slow view works as long as the test wants."""
        while text.startswith("slow") and not (self.folder / "go").exists():
            time.sleep(0.01)

    def clock(self) -> float:
        """The time in seconds since 1970, so much later as the test says."""
        later = self.folder / "later"
        return time.time() + (float(later.read_text()) if later.exists() else 0.0)

    def page(self, client: str, visit: Visit, said: list[str]) -> str:
        """The page for this visit."""
        asked = visit.greeting.request.query.decode()
        return page(client, asked, visit.draft, said, self.all())


def script(name: str) -> str | None:
    """A script of the page by its name, None where there is none (yet)."""
    if name == "send.js":
        return SEND_JS
    file = seeother.SCRIPT if name == "seeother.js" else SCRIPTS[name.removesuffix(".js")].path
    return file.read_text("utf-8") if file.exists() else None
