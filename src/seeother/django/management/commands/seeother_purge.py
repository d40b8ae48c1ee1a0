"""`manage.py seeother_purge`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ....stores.inspect import purge
from ...operators import asked


class Command(BaseCommand):
    """It need not be run: submissions delete what is old as they go."""

    help = "Delete what belongs to tokens that are refused for their age anyway."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Delete it."""
        with asked() as store:
            count = purge(store)
        self.stdout.write(f"{count} rows and receipts deleted")
