"""The size of all drafts, kept up by triggers as in every store; and what the admin may see."""

from typing import Any, ClassVar, Final

from django.db import DEFAULT_DB_ALIAS, migrations, models

from seeother.stores import schema

# Of the ledger only this leaves the database: no claim id, no fingerprint, no outcome. The name is
# the one that operators know from the logs (`seeother.stores.inspect.InQuestion`).
VIEW: Final = """
CREATE VIEW so_submission AS
  SELECT lower(hex(id)) || '-' || lower(substr(hex(variant), 1, 8)) AS name, state, fence,
  lease_until, settled_at FROM so_ledger
"""
COUNT: Final = """
UPDATE so_meta SET value = (SELECT coalesce(sum(length(draft)), 0) FROM so_receipt)
  WHERE name = 'drafts'
"""
TRIGGERS: Final = ("so_draft_insert", "so_draft_delete", "so_draft_update")


def _ours(editor: Any) -> bool:
    connection = editor.connection
    return bool(connection.alias == DEFAULT_DB_ALIAS and connection.vendor == "sqlite")


def create(_apps: Any, editor: Any) -> None:
    """Count the drafts that there are, and from now on; make the view."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        for statement in (schema.NO_DRAFTS, COUNT, *schema.TRIGGERS, VIEW):
            cursor.execute(statement)


def drop(_apps: Any, editor: Any) -> None:
    """Forget the view and the count; the ledger stays."""
    if not _ours(editor):
        return
    with editor.connection.cursor() as cursor:
        cursor.execute("DROP VIEW IF EXISTS so_submission")
        for name in TRIGGERS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        cursor.execute("DELETE FROM so_meta WHERE name = 'drafts'")


class Migration(migrations.Migration):
    """Create them; backwards, drop them."""

    dependencies: ClassVar = [("seeother", "0001_ledger")]
    operations: ClassVar = [
        migrations.RunPython(create, drop),
        migrations.CreateModel(
            name="Submission",
            fields=[
                ("name", models.CharField(max_length=41, primary_key=True)),
                ("state", models.CharField(max_length=8)),
                ("fence", models.IntegerField()),
                ("lease_until", models.FloatField()),
                ("settled_at", models.FloatField()),
            ],
            options={
                "verbose_name": "submission",
                "verbose_name_plural": "submissions",
                "db_table": "so_submission",
                "ordering": ["-name"],
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
