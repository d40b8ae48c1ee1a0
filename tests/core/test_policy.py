"""The policy: every setting is known, possible and used, or it is an error at start."""

import warnings
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from seeother.core.policy import A_GOOD_SECRET, DAY, KINDS, SECRET_FIELDS, Policy, stated
from seeother.core.token import FIELD
from seeother.errors import PolicyError

SECRET = "0123456789abcdef0123456789abcdef"
SETTINGS = [field for field in fields(Policy) if field.init]


# --- names ----------------------------------------------------------------------------------------


def test_the_defaults_are_possible() -> None:
    """A policy without any setting can be made, and says what the documentation says."""
    policy = Policy()
    assert (policy.max_age, policy.lease, policy.patience, policy.echo) == (DAY, 30, 10, 1)
    assert (policy.mark, policy.redirect_status, policy.on_edit) == ("so", 303, "new")
    assert (policy.hosts, policy.proxy_hops, policy.cookie_secure) == (None, 0, "auto")


def test_every_setting_is_checked() -> None:
    """No setting is taken as it comes: each has one kind, or a check of its own."""
    checked = [name for kind in KINDS for name in kind.names.split()]
    assert len(set(checked)) == len(checked)
    assert {field.name for field in SETTINGS} - set(checked) == {"identity", "reconcile", "secret"}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("pateince", "patience"),
        ("trusted_origin", "trusted_origins"),
        ("MARK", None),
        ("ring", None),
    ],
)
def test_unknown_names(name: str, near: str | None) -> None:
    """A name that does not exist is an error that suggests the nearest one."""
    with pytest.raises(PolicyError, match=f"unknown setting '{name}'") as caught:
        Policy.of({name: 1})
    assert ("did you mean" in str(caught.value)) is (near is not None)
    assert near is None or repr(near) in str(caught.value)


def test_it_is_frozen() -> None:
    """A policy does not change; another one is made of it, with keys for its own secret."""
    policy = Policy(secret=SECRET)
    with pytest.raises(FrozenInstanceError):
        policy.mark = None  # type: ignore[misc]
    other = replace(policy, secret=SECRET[::-1], mark=None)
    assert other.ring.tag != policy.ring.tag
    assert replace(policy, mark=None).ring.tag == policy.ring.tag


# --- values ---------------------------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "max_age": [0, -1, "60", None, True, float("nan"), float("inf")],
    "lease": [0, -1],
    "session_idle": [0],
    "session_lifetime": [0],
    "patience": [-1, "10", float("nan"), float("inf"), False],
    "echo": [-0.1, None],
    "proxy_hops": [-1, 1.0, True, "1", None],
    "max_body": [-1, "64M"],
    "max_fields": [-1],
    "max_files": [-1],
    "max_part_header": [-1],
    "max_rows_per_token": [-1],
    "max_kept": [-1],
    "require_token": ["false", 0, 1, None],
    "inject": ["off"],
    "convert": [0],
    "retry_safe": [None],
    "debug": ["yes", 1],
    "cookie_secure": ["always", None, 1],
    "on_edit": ["ask", None, ""],
    "mode": ["once", "", True],
    "redirect_status": [301, 307, "303", 303.0, True],
    "namespace": ["", None, b"app"],
    "store": ["", b"sqlite:///a.db"],
    "mark": ["", "s o", "so=", "a&b", "é", "so#", 1, b"so"],
    "cookie_name": ["", 1],
    "public_origin": ["app.example", "https://app.example/", "", "null", 1],
    "hosts": ["app.example", [""], [1], [b"app.example"], {"app.example": 1}],
    "redirect_hosts": ["pay.example", None],
    "ignore_fields": ["_csrf", None],
    "secret_fields": ["pin", [None]],
    "identity_headers": ["x-user"],
    "exempt": ["/hook", ["hook"], [""], [1]],
    "off": ["/hook", ["hook"], [""], [1]],
    "trusted_origins": ["https://idp.example", ["idp.example"], ["https://idp.example/acs"], [1]],
}


def test_every_kind_has_wrong_values() -> None:
    """The table above leaves no setting out."""
    assert set(WRONG) == {name for kind in KINDS for name in kind.names.split()}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, wrong in WRONG.items() for v in wrong], ids=repr
)
def test_wrong_values(name: str, value: Any) -> None:
    """A value that cannot be is an error that names the setting and says what can."""
    with pytest.raises(PolicyError, match=rf"^{name} is .*, not "):
        Policy.of({name: value})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mode", "", "'joined', 'fenced', 'hooked', 'separate', None, not ''"),
        ("redirect_status", 301, "303, 302, not 301"),
        ("on_edit", None, "'new', 'confirm', 'refuse', not None"),
    ],
)
def test_choices_are_listed(name: str, value: Any, words: str) -> None:
    """Where there is a choice the error lists it."""
    with pytest.raises(PolicyError) as caught:
        Policy.of({name: value})
    assert str(caught.value) == f"{name} is one of {words}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patience", 0),
        ("echo", 0),
        ("lease", 0.5),
        ("mode", "hooked"),
        ("debug", True),
        ("cookie_secure", False),
        ("mark", "back-to_1"),
        ("public_origin", "https://app.example:8443"),
        ("redirect_status", 302),
        ("hosts", ()),
        ("exempt", ("/hook",)),
        ("trusted_origins", ("https://idp.example", "https://idp.example /saml/acs")),
        ("cookie_name", "shop"),
        ("cookie_name", "__Host-shop"),
    ],
)
def test_possible_values(name: str, value: Any) -> None:
    """A value that can be is kept as it is."""
    assert getattr(Policy.of({name: value}), name) == value


@pytest.mark.parametrize("made", [list, set, frozenset, tuple])
def test_lists_of_any_kind(made: type) -> None:
    """A list may be written as list, set or tuple, as configuration files have them."""
    policy = Policy.of({"hosts": made(["app.example"]), "secret": [SECRET, SECRET[::-1]]})
    assert policy.hosts == ("app.example",)
    assert len(policy.ring.keys) == 2


@pytest.mark.parametrize("name", ["a b", "a=b", "é", "__Secure-a"])
def test_cookie_name(name: str) -> None:
    """A name that no browser would keep is refused at start, not with the first request."""
    with pytest.raises(PolicyError, match="cookie"):
        Policy(cookie_name=name)


# --- secrets --------------------------------------------------------------------------------------

WEAK = ["", "dev", "secret", "changeme", "supersecretkey", "SuperSecretKey", "x" * 31, b"x" * 31]


@pytest.mark.parametrize("debug", [False, None])
@pytest.mark.parametrize("secret", WEAK, ids=repr)
def test_weak_secrets(secret: str | bytes, debug: bool | None) -> None:
    """A short or well-known secret is refused, with the command that makes a good one."""
    with pytest.raises(PolicyError) as caught:
        Policy(secret=(SECRET, secret), debug=debug)
    assert A_GOOD_SECRET in str(caught.value)
    assert not secret or repr(secret) not in str(caught.value)


@pytest.mark.parametrize("secret", [one for one in WEAK if one], ids=repr)
def test_weak_secrets_while_debugging(secret: str | bytes) -> None:
    """While debugging a weak secret works, with a warning that stands at the caller's line."""
    with pytest.warns(UserWarning, match="make a good one") as caught:
        policy = Policy(secret=secret, debug=True)
    assert len(policy.ring.keys) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), "ü" * 16], ids=repr)
def test_good_secrets(secret: str | bytes) -> None:
    """32 bytes are enough, as text or as bytes, and nothing is said about them."""
    with warnings.catch_warnings(action="error"):
        assert Policy(secret=secret).ring.keys


@pytest.mark.parametrize("secret", [1, (1,), ((SECRET,),), {"a": SECRET}])
def test_secrets_of_other_types(secret: Any) -> None:
    """What is neither text nor bytes is an error that shows the type and not the value."""
    with pytest.raises(PolicyError, match="text or bytes") as caught:
        Policy(secret=secret)
    assert SECRET not in str(caught.value)


def test_no_secrets() -> None:
    """An empty list of secrets is an error."""
    with pytest.raises(PolicyError, match="no secret"):
        Policy(secret=())


def test_the_secret_stays_out_of_logs() -> None:
    """The repr of a policy shows neither the secret nor a key."""
    policy = Policy(secret=SECRET)
    assert SECRET not in repr(policy)
    assert "ring" not in repr(policy)


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in SECRET_FIELDS),
        ("Password", True),
        ("password2", True),
        ("new_password", True),
        ("newPassword", True),
        ("user[password]", True),
        ("benutzerpasswort", True),
        ("apiToken", True),
        ("pin_code", True),
        ("cardPIN", True),
        ("card-pin", True),
        ("PIN", True),
        ("shipping", False),
        ("opinion", False),
        ("shopping_list", False),
        ("message", False),
        ("", False),
        ("\ud800", False),
    ],
)
def test_secret_names(name: str, secret: bool) -> None:
    """Password-like names are secret; a short word only where it stands alone."""
    assert Policy().is_secret(name) is secret


def test_own_secret_names() -> None:
    """The policy's own list replaces the default one."""
    policy = Policy(secret_fields=("IBAN", "No"))
    names = ("myiban", "no", "note", "password")
    assert [name for name in names if policy.is_secret(name)] == ["myiban", "no"]


def test_ignored_names() -> None:
    """Tokens of ours and of frameworks are no input, and neither is what the policy adds."""
    ignored = Policy(ignore_fields=("_wpnonce",)).ignored
    assert {FIELD, "csrfmiddlewaretoken", "csrf_token", "_wpnonce"} <= ignored
    assert "message" not in ignored


# --- settings -------------------------------------------------------------------------------------


def test_a_setting_that_is_not_stated_leaves_the_default() -> None:
    """None is what frameworks give for "nothing was said"; a mark of None is a choice."""
    assert stated({"patience": None, "store": None, "max_age": 5.0}) == {"max_age": 5.0}
    assert stated({"mark": None}) == {"mark": None}
