"""What operators have in a Django project: three commands, and the ledger in the admin."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.test import Client, override_settings

from seeother.django.models import Submission
from tests.adapters.django.project import filled, saying
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("database")
SEALED = "Ann's secret order"


class Ran(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def manage(*words: Any, **options: Any) -> Ran:
    """`manage.py WORDS` in this process."""
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command(*words, stdout=out, stderr=err, **options)
    except CommandError as error:
        err.write(str(error))
        code = error.returncode
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def break_off(name: str = "Ann") -> tuple[Client, dict[str, str]]:
    """A view without a transaction that raises after its commit: a doubt."""
    client = Client(raise_request_exception=False)
    sent = {**filled(client, "/alone/", name=name), "raise": "1"}
    assert client.post("/alone/", sent).status_code == 500
    return client, sent


@pytest.fixture
def private(database: Path) -> Iterator[Path]:
    """The database as it should be kept: its own folder, its own modes, WAL."""
    database.parent.chmod(0o700)
    database.chmod(0o600)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
    yield database
    views.SENT.clear()


# Commands -----------------------------------------------------------------------------------


def test_a_doubt_is_listed_and_ended(private: Path) -> None:
    """What happened is not done again; the name may be shortened; then there is no doubt."""
    client, sent = break_off()
    listed = manage("seeother_doubts")
    name = listed.out.split()[0]
    assert (listed.code, listed.err.strip()) == (1, "1 in doubt")
    assert "in doubt  fence 1  form of 20" in listed.out
    ended = manage("seeother_doubts", resolve=name[:10], happened=True)
    assert ended == Ran(0, f"resolved {name}\n", "")
    again = client.post("/alone/", sent)
    assert (again.status_code, b"already done" in again.content) == (200, True)
    assert Order.objects.count() == 1
    assert manage("seeother_doubts") == Ran(0, "", "0 in doubt\n")


def test_what_did_not_happen_may_be_sent_again(private: Path) -> None:
    """--did-not-happen: the same form, sent again, runs."""
    client, sent = break_off()
    name = manage("seeother_doubts").out.split()[0]
    assert manage("seeother_doubts", "--resolve", name, "--did-not-happen").code == 0
    assert client.post("/alone/", {**sent, "raise": ""}).status_code == 303
    assert Order.objects.count() == 2


def test_one_has_to_say_what_is_true(private: Path) -> None:
    """Half of an answer, an unknown name or an ambiguous one end nothing."""
    break_off()
    break_off("Bob")
    names = [line.split()[0] for line in manage("seeother_doubts").out.splitlines()]
    assert len(names) == 2 and names[0][:2] == names[1][:2]
    assert manage("seeother_doubts", resolve=names[0]).code == 2
    assert manage("seeother_doubts", happened=True).code == 2
    assert manage("seeother_doubts", resolve="ffff", happened=True).code == 1
    ambiguous = manage("seeother_doubts", resolve=names[0][:2], happened=True)
    assert (ambiguous.code, "ambiguous" in ambiguous.err) == (1, True)
    assert len(manage("seeother_doubts").out.splitlines()) == 2


def test_purge_deletes_only_what_is_too_old(private: Path) -> None:
    """A row of a token that is refused for its age goes; what is younger, and sessions, stay."""
    client = Client()
    client.post("/", filled(client, "/", name="old"))
    with sqlite3.connect(private) as raw:
        raw.execute("UPDATE so_ledger SET id=CAST(zeroblob(4) || substr(id, 5) AS BLOB)")
        raw.execute("UPDATE so_receipt SET settled_at=0")
    client.post("/guess/", filled(client, "/guess/", name="41"))
    session = client.session.session_key
    assert manage("seeother_purge").out == "2 rows and receipts deleted\n"
    assert manage("seeother_purge").out == "0 rows and receipts deleted\n"
    assert Submission.rows.count() == 1
    assert (client.session.session_key, client.session["message"]) == (
        session,
        "Your guess was too low",
    )


def test_the_doctor_says_that_all_is_well(private: Path) -> None:
    """Settings, counts, the ledger's own rules, the file around it: nothing to look at."""
    client = Client()
    client.post("/ordering/", filled(client, "/ordering/", name="nobody", password="hidden"))
    client.post("/", filled(client, "/", name="Ann"))
    found = manage("seeother_doctor")
    assert (found.code, "LOOK" in found.out) == (0, False), found.out
    assert "settled 2, claimed 0, in doubt 0" in found.out
    assert f"{private} has mode 600" in found.out


def test_the_doctor_says_what_is_wrong(private: Path) -> None:
    """A wrong setting, wide modes, a doubt and a broken row are each one line; exit code 1."""
    break_off()
    private.chmod(0o644)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE so_ledger SET fence=0")
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        found = manage("seeother_doctor")
    looks = [line for line in found.out.splitlines() if line.startswith("LOOK")]
    assert (found.code, len(looks)) == (1, 4), found.out
    for line, word in zip(
        looks, ("W003", "rows without", "chmod 600", "manage.py seeother_doubts"), strict=True
    ):
        assert word in line


def test_a_database_without_the_tables_is_one_sentence() -> None:
    """Not migrated: every command says what to run, with exit code 2."""
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW so_submission")
        cursor.execute("DROP TABLE so_meta")
    for command in ("seeother_purge", "seeother_doubts", "seeother_doctor"):
        found = manage(command)
        assert (found.code, "manage.py migrate" in found.err) == (2, True)


# The admin ----------------------------------------------------------------------------------


@pytest.fixture
def operator() -> Client:
    """Somebody who may look, and nothing else."""
    user = User.objects.create_user("op", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client = Client()
    client.force_login(user)
    return client


def everything_kept() -> list[str]:
    """What the database keeps of submissions and visitors, as text and in hexadecimal digits."""
    kept: list[str] = []
    with connection.cursor() as cursor:
        for sql in (
            "SELECT hex(variant), hex(claim_id), hex(fingerprint), hex(outcome) FROM so_ledger",
            "SELECT hex(id), hex(visitor), hex(messages), hex(draft) FROM so_receipt",
            "SELECT hex(sid), name, hex(value) FROM so_session",
        ):
            cursor.execute(sql)
            kept += [str(value) for row in cursor.fetchall() for value in row if value]
    return kept


def test_the_admin_shows_the_ledger_and_no_more(operator: Client) -> None:
    """States and counts; no token, no input, no cookie, no secret, not even as a digest."""
    client = Client()
    client.get("/guess/")
    client.post("/guess/", filled(client, "/guess/", name="41"))
    rejected = filled(client, "/ordering/", name="nobody", password="hunter2")
    client.post("/ordering/", rejected)
    sent = filled(client, "/", name=SEALED)
    client.post("/", sent)
    pages = [operator.get("/admin/seeother/submission/").content.decode()]
    names = Submission.rows.values_list("name", flat=True)
    pages += [
        operator.get(f"/admin/seeother/submission/{n}/change/").content.decode() for n in names
    ]
    assert len(pages) == 4
    assert (
        all(f"{name}" in pages[0] for name in names)
        and pages[0].count('field-state">settled<') == 3
    )
    assert "Receipts: 3 (1 with a message that waits)" in pages[0]
    hidden = [SEALED, "hunter2", "nobody", sent["so_token"], rejected["so_token"], "/done/"]
    hidden += [
        sent["csrfmiddlewaretoken"],
        *(m.value for m in client.cookies.values() if len(m.value) > 1),
    ]
    hidden += [value for value in everything_kept() if len(value) > 16]
    for page in pages:
        assert [one for one in hidden if one.lower() in page.lower()] == []


def test_the_admin_changes_nothing(operator: Client) -> None:
    """Not even a superuser adds, changes or deletes a row."""
    client = Client()
    sent = filled(client, "/", name="Ann")
    client.post("/", sent)
    (name,) = Submission.rows.values_list("name", flat=True)
    root = User.objects.create_superuser("root", password="secret")
    operator.force_login(root)
    before = everything_kept()
    base = "/admin/seeother/submission/"
    for path in (f"{base}add/", f"{base}{name}/change/", f"{base}{name}/delete/"):
        assert operator.post(path, {"state": "claimed", "post": "yes"}).status_code == 403
    page = operator.get(base).content
    assert b"delete_selected" not in page and b"submission/add/" not in page
    assert [value for value in before if value not in everything_kept()] == []
    assert client.post("/", sent).status_code == 303
    assert Order.objects.count() == 1


def test_who_may_not_look_does_not(operator: Client) -> None:
    """Staff without the permission get 403, everybody else the login page."""
    User.objects.get(username="op").user_permissions.clear()
    assert operator.get("/admin/seeother/submission/").status_code == 403
    assert "/admin/login/" in Client().get("/admin/seeother/submission/")["Location"]


def test_rows_are_no_fixtures() -> None:
    """`dumpdata` takes none of them: `loaddata` could not put them back."""
    client = Client()
    client.post("/", filled(client, "/", name="Ann"))
    assert Submission.rows.count() == 1
    assert manage("dumpdata", "seeother").out.strip() == "[]"


def test_without_the_admin_there_is_none(tmp_path: Path) -> None:
    """A project without `django.contrib.admin`, auth or content types starts and migrates."""
    script = """
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="a key that is long enough for everybody here",
    INSTALLED_APPS=["seeother.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "p.db"}},
)
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("makemigrations", "--check", "--dry-run", verbosity=0)
call_command("seeother_doubts")
assert not any(name.startswith("django.contrib") for name in sys.modules), sys.modules
assert "seeother.django.admin" not in sys.modules
"""
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


# Drafts are counted -------------------------------------------------------------------------


def test_drafts_have_a_limit_here_too() -> None:
    """`max_kept`: the oldest drafts go, as in every store (security rule 18)."""
    client = Client()
    with saying(max_kept=1500):
        answers = [
            client.post("/ordering/", filled(client, "/ordering/", name=f"{n} " + "x" * 500))
            for n in range(4)
        ]
        pages = [client.get(answer["Location"]).content.decode() for answer in answers]
    there = [f"{n} " + "x" * 500 in page for n, page in enumerate(pages)]
    assert there == [False, False, True, True]


def test_an_older_database_is_brought_along() -> None:
    """Drafts that were there before the second migration are counted by it; backwards it goes."""
    MigrationExecutor(connection).migrate([("seeother", "0001_ledger")])
    client = Client()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'so_draft%'")
        assert cursor.fetchone() == (0,)
    client.post("/ordering/", filled(client, "/ordering/", name="nobody"))
    MigrationExecutor(connection).migrate([("seeother", "0002_submission")])
    told = manage("seeother_doctor").out.splitlines()
    (drafts,) = [line for line in told if "drafts:" in line]
    assert drafts.startswith("ok") and not drafts.endswith("counted as 0")
    connections.close_all()


# Template tags ------------------------------------------------------------------------------


def test_template_tags_give_the_form_back() -> None:
    """What was typed and what is wrong, escaped, also after a reload; nothing on an empty page."""
    client = Client()
    answer = client.post("/tagged/", filled(client, "/tagged/", name='"><b>typed</b>'))
    assert answer.status_code == 303
    for _ in range(2):
        text = client.get(answer["Location"]).content.decode()
        assert 'value="&quot;&gt;&lt;b&gt;typed&lt;/b&gt;"' in text
        assert "<p>Too &lt;short&gt;.</p>" in text and "<li>name: Too &lt;short&gt;." in text
    empty = client.get("/tagged/").content.decode()
    assert 'value="nothing yet"' in empty and "<li>" not in empty and "<p></p>" in empty


def test_the_field_of_the_tag_is_a_token() -> None:
    """With `inject` off `{% seeother_field %}` alone protects the form; with it on there is one."""
    with saying(inject=False):
        client = Client()
        text = client.get("/tagged/").content.decode()
        assert text.count('name="so_token"') == 1
        assert client.post("/tagged/", filled(client, "/tagged/", name="x")).status_code == 303
        assert Submission.rows.count() == 1
        assert b"so_token" not in client.get("/").content
    assert client.get("/tagged/").content.count(b'name="so_token"') == 1


def test_templates_without_a_request_are_empty() -> None:
    """A mail, a test: the tags say nothing, and raise nothing."""
    from django.template import engines

    text = engines["django"].from_string(views.TAGS).render({})
    assert "so_token" not in text and 'value="nothing yet"' in text
