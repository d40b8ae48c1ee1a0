"""The same tables where the project's database is PostgreSQL: those of every store there."""

from typing import Any, ClassVar, Final

from django.db import DEFAULT_DB_ALIAS, migrations

from seeother.stores import pg_schema as schema

VIEW: Final = """
CREATE VIEW so_submission AS
  SELECT encode(id, 'hex') || '-' || substr(encode(variant, 'hex'), 1, 8) AS name, state, fence,
  lease_until, settled_at FROM so_ledger
"""
VERSION: Final = 1  # later ones have migrations of their own


def _ours(editor: Any) -> bool:
    connection = editor.connection
    return bool(connection.alias == DEFAULT_DB_ALIAS and connection.vendor == "postgresql")


def create(_apps: Any, editor: Any) -> None:
    """Make the tables, where the ledger stands, and the view of the admin."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        cursor.execute(schema.META)
        for step in schema.STEPS[:VERSION]:
            cursor.execute(step)
        cursor.execute(schema.WRITE_META, ("schema", str(VERSION)))
        cursor.execute(VIEW)


def drop(_apps: Any, editor: Any) -> None:
    """Forget the ledger and everything that it keeps."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        cursor.execute("DROP VIEW IF EXISTS so_submission")
        cursor.execute(schema.DROPPED)


class Migration(migrations.Migration):
    """Create them; backwards, drop them."""

    dependencies: ClassVar = [("seeother", "0002_submission")]
    operations: ClassVar = [migrations.RunPython(create, drop)]
