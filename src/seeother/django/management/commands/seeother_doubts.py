"""`manage.py seeother_doubts`, and `--resolve NAME --happened` or `--did-not-happen`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ....stores.inspect import InQuestion, doubts, resolve
from ....stores.sqlite import SQLiteStore
from ...operators import asked


class Command(BaseCommand):
    """Exit code 0: no doubt (any more); 1: somebody has to look; 2: it could not be asked."""

    help = "List submissions of which nobody knows how they ended, or end a doubt."

    def add_arguments(self, parser: CommandParser) -> None:
        """Neither answer is the default."""
        parser.add_argument("--resolve", metavar="NAME", help="End the doubt whose name starts so.")
        answer = parser.add_mutually_exclusive_group()
        answer.add_argument("--happened", action="store_true", default=None, help="It took effect.")
        answer.add_argument(
            "--did-not-happen", action="store_false", dest="happened", help="It had no effect."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """List them, or end one."""
        name, happened = options["resolve"], options["happened"]
        if (name is None) != (happened is None):
            raise CommandError(
                "say both: --resolve NAME, and --happened or --did-not-happen", returncode=2
            )
        with asked() as store:
            if name is not None:
                self._resolve(store, name, happened=happened)
                return
            found = doubts(store)
        self._listed(found)
        self.stderr.write(f"{len(found)} in doubt")
        if found:
            sys.exit(1)

    def _resolve(self, store: SQLiteStore, name: str, *, happened: bool) -> None:
        found = [one for one in doubts(store) if one.is_meant_by(name)]
        if len(found) > 1:
            self._listed(found)
            raise CommandError(f"{name} is ambiguous, nothing was done; give more of the name")
        if not found or not resolve(store, found[0].key, happened=happened):
            raise CommandError(f"nothing in doubt is called {name}")
        self.stdout.write(f"resolved {found[0].name}")

    def _listed(self, found: tuple[InQuestion, ...] | list[InQuestion]) -> None:
        for one in found:
            issued = datetime.fromtimestamp(one.issued, UTC).isoformat(timespec="seconds")
            self.stdout.write(f"{one.name}  {one.state}  fence {one.fence}  form of {issued}")
