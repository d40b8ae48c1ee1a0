"""The tables of the ledger, of receipts and of sessions: those of every store on SQLite."""

from typing import Any, ClassVar, Final

from django.db import DEFAULT_DB_ALIAS, migrations

from seeother.stores import schema

DROPPED: Final = ("so_ledger", "so_receipt", "so_session", "so_session_head", "so_meta")


def _ours(editor: Any) -> bool:
    connection = editor.connection
    return bool(connection.alias == DEFAULT_DB_ALIAS and connection.vendor == "sqlite")


def create(_apps: Any, editor: Any) -> None:
    """Make the tables, where the ledger stands."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        for statement in (schema.META, *schema.TABLES.split(";")):
            cursor.execute(statement)
        cursor.execute(schema.WRITE_META.replace("?", "%s"), ("schema", str(schema.VERSION)))


def drop(_apps: Any, editor: Any) -> None:
    """Forget the ledger and everything that it keeps."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        for table in DROPPED:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


class Migration(migrations.Migration):
    """Create them; backwards, drop them."""

    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [migrations.RunPython(create, drop)]
