"""Sessions of `django.contrib.sessions.backends.db`, after SESSION_ENGINE was changed to ours."""

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as Before
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from seeother.django.sessions import SessionStore
from tests.adapters.django.project import together

pytestmark = pytest.mark.usefixtures("database")


def old(**values: object) -> str:
    """The key of a session that Django's own engine has saved."""
    session = Before()
    for name, value in values.items():
        session[name] = value
    session.save()
    return str(session.session_key)


def counted() -> tuple[int, int]:
    """How many sessions are Django's, and how many are ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM so_session_head")
        return Session.objects.count(), int(cursor.fetchone()[0])


def test_read_it_stays_saved_it_is_upgraded() -> None:
    """Reading writes nothing; the first save keeps key, values and expiry, and takes the row."""
    key = old(user="Ann", cart=["tea"])
    assert dict(SessionStore(key).items()) == {"user": "Ann", "cart": ["tea"]}
    assert SessionStore().exists(key)
    assert counted() == (1, 0)
    session = SessionStore(key)
    session["cart"].append("milk")
    session.save()
    assert (counted(), session.session_key) == ((0, 1), key)
    assert SessionStore(key).load() == {"user": "Ann", "cart": ["tea", "milk"]}


def test_many_first_saves_lose_nothing() -> None:
    """Eight requests that read the old session and save: each change is there, once."""
    key = old(user="Ann")

    def save(number: int) -> None:
        session = SessionStore(key)
        session[f"n{number}"] = number
        session.save()

    together(*[lambda n=n: save(n) for n in range(8)])
    assert SessionStore(key).load() == {"user": "Ann", **{f"n{n}": n for n in range(8)}}
    assert counted() == (0, 1)


@pytest.mark.parametrize("saved", [False, True], ids=["at once", "later"])
def test_a_sign_out_stays_one(saved: bool) -> None:
    """After `flush` the key opens nothing, and a request of before it cannot bring it back."""
    key = old(user="Ann")
    late, session = SessionStore(key), SessionStore(key)
    late["user"] = "Bob"
    if saved:
        session["seen"] = 1
        session.save()
    session.flush()
    with pytest.raises(UpdateError):
        late.save()
    assert (SessionStore(key).load(), SessionStore().exists(key)) == ({}, False)
    assert counted() == (0, 0)


def test_a_rotated_key_opens_nothing() -> None:
    """`cycle_key` upgrades and rotates in one step."""
    key = old(user="Ann")
    session = SessionStore(key)
    session["cart"] = 1
    session.cycle_key()
    assert SessionStore(key).load() == {}
    assert SessionStore(session.session_key).load() == {"user": "Ann", "cart": 1}
    assert counted()[0] == 0


def test_a_counter_is_exact() -> None:
    """`change` begins with the old value."""
    key = old(n=3)
    together(*[lambda: SessionStore(key).change("n", lambda n: n + 1)] * 4)
    assert SessionStore(key)["n"] == 7


def test_what_is_not_valid_gives_nothing() -> None:
    """Expired, tampered with, or signed with a secret that nobody knows any more."""
    expired, tampered, foreign = old(user="Ann"), old(user="Ann"), old(user="Ann")
    rows = Session.objects
    past = timezone.now() - dt.timedelta(seconds=1)
    rows.filter(session_key=expired).update(expire_date=past)
    rows.filter(session_key=tampered).update(session_data="eyJ1c2VyIjoiQm9iIn0:1:x")
    with override_settings(SECRET_KEY="a key of another project, long enough as well"):
        assert SessionStore(foreign).load() == {}
    for key in (expired, tampered, "never-saved"):
        assert SessionStore(key).load() == {}
        assert not SessionStore().exists(key)
    assert counted() == (3, 0)
    call_command("clearsessions")
    assert not rows.filter(session_key=expired).exists()
    assert rows.filter(session_key=foreign).exists()


def test_a_secret_of_before_is_enough() -> None:
    """SECRET_KEY_FALLBACKS count, as in Django's own engine."""
    from django.conf import settings

    key, former = old(user="Ann"), settings.SECRET_KEY
    new = "the key after it, just as long as the other one"
    with override_settings(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[former]):
        assert SessionStore(key).load() == {"user": "Ann"}


def test_without_djangos_table() -> None:
    """A project that never had it works as ever."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
    session = SessionStore("unknown")
    session["user"] = "Ann"
    session.flush()
    session["user"] = "Ann"
    session.save()
    assert SessionStore(session.session_key)["user"] == "Ann"
    SessionStore.clear_expired()


def test_a_user_stays_signed_in() -> None:
    """Through login, a change of engine, pages, and the logout that ends it."""
    User.objects.create_user("ann", password="one")
    browser = Client(headers={"Sec-Fetch-Site": "same-origin"})
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"):
        assert browser.login(username="ann", password="one")
    cookie = browser.cookies["sessionid"].value
    assert SessionStore(cookie)["_auth_user_id"] == "1"
    assert browser.get("/admin/password_change/").status_code in (200, 302)
    assert browser.cookies["sessionid"].value == cookie
    browser.logout()
    assert SessionStore(cookie).load() == {}
    assert counted()[0] == 0
