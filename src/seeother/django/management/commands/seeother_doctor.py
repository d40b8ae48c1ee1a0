"""`manage.py seeother_doctor`: settings, ledger and the file around it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.core.checks import run_checks
from django.core.management.base import BaseCommand

from ....stores.examine import Finding, examine, verify
from ....stores.inspect import survey
from ....stores.sqlite import SQLiteStore
from ...operators import asked

OURS = "seeother."


class Command(BaseCommand):
    """Exit code 0: all is well; 1: something needs a person; 2: it could not be asked."""

    help = "Say what is wrong with the ledger and its settings, and what to do about it."
    requires_system_checks: Any = ()  # it says itself what they find

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Look at everything, and change nothing."""
        with asked() as store:
            findings = (*_settings(), _counted(store), *verify(store), *_around(store))
        for one in findings:
            self.stdout.write(f"{'ok  ' if one.good else 'LOOK'}  {one.text}")
        if not all(one.good for one in findings):
            sys.exit(1)


def _settings() -> Iterator[Finding]:
    """What the system checks of ours say."""
    found = [one for one in run_checks() if str(one.id).startswith(OURS)]
    for one in found:
        yield Finding(False, " ".join(filter(None, (f"{one.id}:", one.msg, one.hint))))
    if not found:
        yield Finding(True, "settings")


def _counted(store: SQLiteStore) -> Finding:
    found = survey(store)
    states = f"settled {found.settled}, claimed {found.claimed}, in doubt {found.in_doubt}"
    return Finding(True, f"{states}, receipts {found.receipts}, sessions {found.sessions}")


def _around(store: SQLiteStore) -> tuple[Finding, ...]:
    """The file, where there is one: a database in memory has no modes and no disk."""
    path = getattr(store, "path", None)
    return examine(store, "manage.py seeother_doubts") if path is None or path.is_file() else ()
