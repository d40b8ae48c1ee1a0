"""The one model: a submission as the admin may see it.

It is unmanaged and stands on a view (`migrations/0002_submission.py`) that has no other columns
than these, so whatever is done with it can show no token, no input, no cookie and no Location:
they never leave the database. Nothing can be written through it either.

The default manager finds nothing: `dumpdata` would write rows that `loaddata` cannot put back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.db import models

ISSUED: Final = 8  # hexadecimal digits of a name that say when its form was rendered


class NoRows(models.Manager[Any]):
    """For whoever takes every model and all its rows."""

    def get_queryset(self) -> models.QuerySet[Any]:
        """Nothing."""
        return super().get_queryset().none()


class Submission(models.Model):
    """A row of the ledger. `lease_until` and `settled_at` are seconds since the epoch."""

    name: models.CharField[str, str] = models.CharField(max_length=41, primary_key=True)
    state: models.CharField[str, str] = models.CharField(max_length=8)
    fence: models.IntegerField[int, int] = models.IntegerField()
    lease_until: models.FloatField[float, float] = models.FloatField()
    settled_at: models.FloatField[float, float] = models.FloatField()

    objects: ClassVar[models.Manager[Any]] = NoRows()
    rows: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        """Nothing of it is Django's to make."""

        managed = False
        db_table = "so_submission"
        default_permissions = ("view",)
        ordering: ClassVar = ["-name"]
        verbose_name = "submission"
        verbose_name_plural = "submissions"

    def __str__(self) -> str:
        return str(self.name)

    @property
    def issued(self) -> datetime:
        """When its form was rendered."""
        return datetime.fromtimestamp(int(self.name[:ISSUED], 16), UTC)

    @property
    def settled(self) -> datetime | None:
        """When its outcome was recorded."""
        return datetime.fromtimestamp(self.settled_at, UTC) if self.settled_at else None
