"""SESSION_ENGINE = "seeother.django.sessions": what Django demands, and what it cannot do."""

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.test import Client, override_settings

from seeother.django.sessions import SessionStore
from tests.adapters.django.project import filled, together
from tests.adapters.django.shop import views
from tests.adapters.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("database")


def begun(**values: object) -> str:
    """The key of a new session."""
    session = SessionStore()
    for name, value in values.items():
        session[name] = value
    session.save()
    return str(session.session_key)


def test_two_requests_lose_nothing() -> None:
    """Both read it, both save it: what each of them set and deleted stands."""
    key = begun(a=1, b=1)
    one, two = SessionStore(key), SessionStore(key)
    one["c"] = 1
    del one["a"]
    two["d"] = [1]
    one.save()
    two["d"].append(2)
    two.save()
    assert dict(SessionStore(key).items()) == {"b": 1, "c": 1, "d": [1, 2]}


def test_a_counter_is_exact() -> None:
    """`change` loses no step of eight threads."""
    key = begun(n=0)
    together(*[lambda: SessionStore(key).change("n", lambda n: n + 1)] * 8)
    assert SessionStore(key)["n"] == 8


def test_a_rotated_key_opens_nothing() -> None:
    """After `cycle_key` the old key is a stranger's; a save of before it lands in the new one."""
    key = begun(user="Ann")
    late, session = SessionStore(key), SessionStore(key)
    late["cart"] = 1
    session.cycle_key()
    late.save()
    assert late.moved
    assert (SessionStore(key).load(), SessionStore(key).exists(key)) == ({}, False)
    assert SessionStore(session.session_key).load() == {"user": "Ann", "cart": 1}


def test_no_key_opens_nothing() -> None:
    """A session of an unknown key has no key of its own, and may be asked about all the same."""
    session = SessionStore("never-saved")
    session.load()
    assert session.session_key is None
    assert not session.exists(session.session_key)


def test_what_was_ended_stays_ended() -> None:
    """After `flush` a save of another request raises, as in every engine of Django's."""
    key = begun(user="Ann")
    late, session = SessionStore(key), SessionStore(key)
    late["user"] = "Ann"
    session.flush()
    assert (session.session_key, session.is_empty()) == (None, True)
    with pytest.raises(UpdateError):
        late.save()
    assert SessionStore(key).load() == {}


@pytest.mark.parametrize(
    ("expiry", "alive"),
    [(-10, False), (3600, True), (60 * 86_400, True), (dt.timedelta(hours=1), True), (0, True)],
)
def test_an_expiry_of_its_own(expiry: int | dt.timedelta, alive: bool) -> None:
    """`set_expiry` decides how long it opens, longer or shorter than SESSION_COOKIE_AGE."""
    session = SessionStore()
    session["user"] = "Ann"
    session.set_expiry(expiry)
    session.save()
    assert SessionStore(session.session_key).exists(str(session.session_key)) is alive


def test_clearsessions_deletes_what_has_expired() -> None:
    """And nothing else."""
    kept = begun(user="Ann")
    for _ in range(3):
        gone = SessionStore()
        gone["user"] = "Bob"
        gone.set_expiry(-10)
        gone.save()
    SessionStore.clear_expired()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM so_session_head")
        assert cursor.fetchone() == (1,)
    assert SessionStore(kept)["user"] == "Ann"


def test_the_database_knows_no_key() -> None:
    """Who reads the database cannot open a session with what stands there."""
    key = begun(user="Ann")
    with connection.cursor() as cursor:
        cursor.execute("SELECT hex(sid), name FROM so_session")
        rows = cursor.fetchall()
    assert [name for _, name in rows] == ["user"]
    assert key.encode().hex() not in str(rows).lower()


@override_settings(SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer")
def test_what_cannot_be_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A damaged value costs its own key only, and is logged."""
    key = begun(a=1, b=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE so_session SET value=x'ff' WHERE name='a'")
    assert SessionStore(key).load() == {"b": 1}
    assert "Session data corrupted" in caplog.text


def test_a_login_rotates() -> None:
    """Signing in changes the key, keeps what was in it, and the old key opens nothing."""
    User.objects.create_user("ann", password="secret")
    client = Client()
    session = client.session
    session["cart"] = [1]
    session.save()
    before = str(session.session_key)
    client.cookies["sessionid"] = before
    assert client.login(username="ann", password="secret")
    assert client.session["cart"] == [1]
    assert client.session.session_key != before and not SessionStore().exists(before)
    client.logout()
    assert list(client.session) == []


@pytest.fixture
def visitor() -> Client:
    """Somebody with a session."""
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = begun(seen=0)
    return client


def test_a_rotation_in_between(visitor: Client) -> None:
    """A request of before it writes into the new session, and brings the old key to nobody."""
    key = visitor.cookies["sessionid"].value
    rotated = SessionStore(key)
    sent = filled(visitor, "/during/", name="Ann")
    views.DURING.append(rotated.cycle_key)
    answer = visitor.post("/during/", sent)
    assert (answer.status_code, "sessionid" in answer.cookies) == (303, False)
    assert SessionStore(rotated.session_key)["seen"] == 1


def test_a_logout_in_between(visitor: Client) -> None:
    """The session ended while the view ran: Django's 400, and nothing of the view stays."""
    sent = filled(visitor, "/during/", name="Ann")
    views.DURING.append(SessionStore(visitor.cookies["sessionid"].value).flush)
    assert visitor.post("/during/", sent).status_code == 400
    assert Order.objects.count() == 0


def test_a_view_that_failed_changed_no_session(visitor: Client) -> None:
    """What a submission without effect wrote into its session is gone with it."""
    sent = filled(visitor, "/during/", name="Ann")
    views.DURING.append(lambda: 1 / 0)
    assert visitor.post("/during/", sent).status_code == 500
    assert SessionStore(visitor.cookies["sessionid"].value)["seen"] == 0
