"""Requests as they arrive, for the tests of everything that is decided about them."""

from collections.abc import Callable
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode

from seeother.core.cookie import cookie_names
from seeother.core.entry import Entry, admit, greet
from seeother.core.form import Parsed, read_form
from seeother.core.keys import encode
from seeother.core.policy import Policy
from seeother.core.token import FIELD, OnEdit, mint
from seeother.core.values import Request

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"
POLICY = Policy(secret=SECRET)
VISITOR, STRANGER = b"v" * 16, b"s" * 16
NOW = 1_700_000_000.0
HOST = "app.example"
FORM = "application/x-www-form-urlencoded"
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


def entropy() -> Callable[[int], bytes]:
    """Bytes that differ each time and are the same in each run."""
    numbers = count()
    return lambda size: sha256(b"%d" % next(numbers)).digest()[:size]


def visitor_cookie(
    policy: Policy = POLICY, visitor: bytes = VISITOR, *, secure: bool = False
) -> str:
    """A Cookie header of this visitor."""
    names = cookie_names(policy.ring.tag, secure, policy.cookie_name)
    return f"{names.visitor}={encode(visitor)}"


def arrival(
    method: str = "POST",
    url: str = "/form",
    headers: dict[str, str] | None = None,
    *,
    scheme: str = "http",
    host: str = HOST,
    root: str = "",
    now: float = NOW,
) -> Request:
    """One request; `url` is path and query."""
    path, _, query = url.partition("?")
    lines = tuple((k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items())
    return Request(method, scheme, host, root, path, query.encode(), lines, now, entropy())


def from_visitor(headers: dict[str, str] | None = None, policy: Policy = POLICY) -> dict[str, str]:
    """Headers of a same-origin request of the visitor."""
    return {**SAME_ORIGIN, "cookie": visitor_cookie(policy), **(headers or {})}


def token(
    policy: Policy = POLICY,
    visitor: bytes = VISITOR,
    *,
    now: float = NOW,
    scope: str = "",
    on_edit: OnEdit = "new",
    unbound: bool = False,
    had_headers: bool = False,
) -> str:
    """A token as a page of this policy holds it."""
    return mint(
        policy.ring,
        visitor=visitor,
        now=now,
        nonce=b"n" * 16,
        scope=scope,
        on_edit=on_edit,
        unbound=unbound,
        had_headers=had_headers,
    )


def form(*pairs: tuple[str, str], token: str | None = None) -> tuple[Parsed, bytes]:
    """A form body, parsed and raw."""
    body = urlencode([*pairs, *([(FIELD, token)] if token is not None else [])]).encode()
    return read_form(FORM, body), body


def admitted(
    request: Request, *pairs: tuple[str, str], token: str | None = None, policy: Policy = POLICY
) -> Entry:
    """Greet and admit a form."""
    return admit(greet(request, policy), *form(*pairs, token=token), policy)
