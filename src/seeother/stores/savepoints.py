"""Savepoints before the first write of a transaction that begins late (fenced).

An ORM's session, and every inner `atomic()` of Django's, says SAVEPOINT before its first statement,
also where that only reads. On SQLite a savepoint outside of a transaction begins one, and a view
that looks something up and then thinks for long would lock everybody out. So until something is
written a savepoint is only noted: to release it, or to go back to it, changes nothing yet. Those
that still stand are set right after BEGIN (https://sqlite.org/lang_savepoint.html).
"""

from __future__ import annotations

from typing import Any, Final

SET: Final = "SAVEPOINT"
WORDS: Final = (SET, "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


class Savepoints:
    """Those that were asked for before there was a transaction.

    >>> noted = Savepoints()
    >>> noted.note("SAVEPOINT outer"), noted.note("SAVEPOINT inner"), noted.note("SELECT 1")
    (True, True, False)
    >>> noted.note("RELEASE SAVEPOINT inner"), noted.names
    (True, ['outer'])
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def note(self, statement: str) -> bool:
        """Remember what a statement says about savepoints; False where it says nothing."""
        word, _, name = statement.rpartition(" ")
        if word not in WORDS:
            return False
        if word == SET:
            self.names.append(name)
        else:  # what lies inside of it goes with it; who goes back to one stands on it again
            place = self.names.index(name)
            del self.names[place if word.startswith("RELEASE") else place + 1 :]
        return True

    def stand(self, raw: Any) -> None:
        """It has begun on this connection of the driver: set those that still stand."""
        names, self.names = self.names, []
        for name in names:
            raw.execute(f"{SET} {name}")
