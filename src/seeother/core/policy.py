"""Every knob, once: one frozen dataclass, one table of names.

The field names below are the keyword arguments of every adapter, the `SEEOTHER_*` keys of a Flask
config and of the environment, and the keys of the Django dict. An unknown name is an error that
suggests the nearest one, a value that cannot be is an error that says what can; nothing is ever
ignored silently. What each kind of value has to be stands in tables: a string where a list belongs
would be read letter by letter, and a host list of letters locks everybody out.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from ..errors import PolicyError
from .cookie import cookie_names
from .keys import Keyring
from .origin import Origin
from .token import FIELD, OnEdit

Mode = Literal["joined", "fenced", "hooked", "separate"]

DAY: Final = 86_400.0
MIB: Final = 1 << 20
SHORTEST_SECRET: Final = 32
WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
SHORT: Final = 4
SAMPLES: Final = frozenset(
    {"supersecretkey", "secret", "dev", "changeme", "secret key", "password"}
)
A_GOOD_SECRET: Final = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
FRAMEWORK_FIELDS: Final = (
    FIELD,
    "csrfmiddlewaretoken",
    "csrf_token",
    "authenticity_token",
    "g-recaptcha-response",
    "h-captcha-response",
    "cf-turnstile-response",
)
SECRET_FIELDS: Final = (
    "password",
    "passwd",
    "passwort",
    "secret",
    "pin",
    "cvc",
    "cvv",
    "otp",
    "token",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All settings of one seeother, validated and frozen.

    >>> Policy.of({"hosts": ["app.example"]}).hosts
    ('app.example',)
    >>> Policy.of({"pateince": 5})
    Traceback (most recent call last):
    seeother.errors.PolicyError: unknown setting 'pateince'; did you mean 'patience'?
    """

    secret: str | bytes | tuple[str | bytes, ...] | None = field(default=None, repr=False)
    store: str | None = None
    namespace: str = "seeother"
    mode: Mode | None = None
    max_age: float = DAY
    lease: float = 30.0
    patience: float = 10.0
    echo: float = 1.0
    on_edit: OnEdit = "new"
    require_token: bool = False
    inject: bool = True
    convert: bool = True
    mark: str | None = "so"
    redirect_status: int = 303
    trusted_origins: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    redirect_hosts: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    proxy_hops: int = 0
    public_origin: str | None = None
    cookie_name: str | None = None
    cookie_secure: bool | Literal["auto"] = "auto"
    ignore_fields: tuple[str, ...] = ()
    secret_fields: tuple[str, ...] = SECRET_FIELDS
    identity_headers: tuple[str, ...] = ()
    retry_safe: bool = False
    reconcile: Any = None
    identity: Any = None
    max_body: int = 64 * MIB
    max_fields: int = 1_000
    max_files: int = 100
    max_part_header: int = 8_192
    max_rows_per_token: int = 64
    max_kept: int = 1 << 30
    session_idle: float = 14 * DAY
    session_lifetime: float = 90 * DAY
    debug: bool | None = None
    ring: Keyring = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for one in fields(self):
            value: object = getattr(self, one.name, None)
            if isinstance(value, list | set | frozenset):
                object.__setattr__(self, one.name, tuple(cast("list[object]", value)))
        for kind in KINDS:
            for name in kind.names.split():
                _check(name, getattr(self, name), kind)
        if self.cookie_name is not None:
            cookie_names("000000", secure=False, override=self.cookie_name)
        if self.secret is not None:
            secrets = tuple(_secrets(self.secret, debug=bool(self.debug)))
            object.__setattr__(self, "ring", Keyring.make(secrets, self.namespace))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Policy:
        """A policy from keyword arguments; an unknown name raises PolicyError."""
        known = {f.name for f in fields(cls) if f.init}
        for name in settings:
            if name not in known:
                from difflib import get_close_matches  # noqa: PLC0415 - for this one sentence

                near = get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise PolicyError(f"unknown setting {name!r}{hint}")
        return cls(**settings)

    @property
    def converts(self) -> bool:
        """Does a page that answers a submission become a redirect to itself (zero-code)?"""
        return self.convert and self.mode in (None, "separate")

    def leaves(self, path: str) -> bool:
        """Is this path left alone (`off`)? An entry that ends in `*` stands for all below it.

        >>> policy = Policy(off=("/hook", "/files/*"))
        >>> [policy.leaves(path) for path in ("/hook", "/hook/1", "/files/", "/files/a/b")]
        [True, False, True, True]
        """
        return any(
            path.startswith(entry[:-1]) if entry.endswith("*") else path == entry
            for entry in self.off
        )

    @property
    def ignored(self) -> frozenset[str]:
        """Names of fields that are no part of the input: tokens of ours and of frameworks."""
        return _ignored(self.ignore_fields)

    def is_secret(self, name: str) -> bool:
        """Is this a field that is never kept in a draft?

        An entry of `secret_fields` counts anywhere in a name; a short one like "pin" only as a
        word of its own, because it also hides in "shipping".

        >>> policy = Policy()
        >>> [name for name in ("newPassword", "cardPin", "pin_code", "shipping") if
        ...  policy.is_secret(name)]
        ['newPassword', 'cardPin', 'pin_code']
        """
        low, words = name.lower(), {word.lower() for word in WORDS.findall(name)}
        return any(
            secret in words if len(secret) < SHORT else secret in low
            for secret in map(str.lower, self.secret_fields)
        )


@cache
def _ignored(named: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*FRAMEWORK_FIELDS, *named))


def stated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What settings say: None leaves a default as it is, but `mark` None is a choice.

    >>> stated({"mark": None, "store": None, "patience": 5.0})
    {'mark': None, 'patience': 5.0}
    """
    return {name: value for name, value in settings.items() if value is not None or name == "mark"}


# What a value has to be ---------------------------------------------------------------------

Test = Callable[[object], bool]


class Kind(NamedTuple):
    """What the settings of these names have to be: as a test, and in words."""

    test: Test
    expected: str
    names: str
    many: bool = False  # the test is about each of a tuple
    optional: bool = False  # None will do


def _above_0(value: object) -> bool:
    return _number(value) and value != 0


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _count(value: object) -> bool:
    return isinstance(value, int) and _number(value)


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _word(value: object) -> bool:
    return isinstance(value, str) and WORD.fullmatch(value) is not None


def _path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/")


def _origin(value: object) -> bool:
    return isinstance(value, str) and Origin.parse(value) is not None


def _sender(value: object) -> bool:
    return isinstance(value, str) and _origin(value.partition(" ")[0])


def _one_of(*choices: object, names: str, optional: bool = False) -> Kind:
    def test(value: object) -> bool:
        return any(value == one and type(value) is type(one) for one in choices)

    listed = ", ".join(repr(one) for one in (*choices, *((None,) if optional else ())))
    return Kind(test, f"one of {listed}", names, optional=optional)


KINDS: Final = (
    Kind(_above_0, "a number of seconds above 0", "max_age lease session_idle session_lifetime"),
    Kind(_number, "a number of seconds, 0 or more", "patience echo"),
    Kind(
        _count,
        "a whole number, 0 or more",
        "proxy_hops max_body max_fields max_files max_part_header max_rows_per_token max_kept",
    ),
    _one_of(False, True, names="require_token inject convert retry_safe"),
    _one_of(False, True, names="debug", optional=True),
    _one_of(False, True, "auto", names="cookie_secure"),
    _one_of(*get_args(OnEdit), names="on_edit"),
    _one_of(*get_args(Mode), names="mode", optional=True),
    _one_of(303, 302, names="redirect_status"),
    Kind(_text, "a text", "namespace"),
    Kind(_text, "a URL", "store", optional=True),
    Kind(_text, "a name", "cookie_name", optional=True),
    Kind(_word, "None, or a word of letters, digits, - and _", "mark", optional=True),
    Kind(_origin, "an origin like 'https://app.example'", "public_origin", optional=True),
    Kind(_text, "a list of host names", "hosts", many=True, optional=True),
    Kind(_text, "a list of host names", "redirect_hosts", many=True),
    Kind(_text, "a list of names", "ignore_fields secret_fields identity_headers", many=True),
    Kind(_path, "a list of paths that begin with /", "exempt off", many=True),
    Kind(
        _sender,
        "a list of origins like 'https://idp.example', or with one path 'https://idp.example /acs'",
        "trusted_origins",
        many=True,
    ),
)


def _check(name: str, value: object, kind: Kind) -> None:
    if kind.many:
        each = cast("tuple[object, ...]", value)
        fits = isinstance(value, tuple) and all(map(kind.test, each))
    else:
        fits = kind.test(value)
    if not (fits or (kind.optional and value is None)):
        raise PolicyError(f"{name} is {kind.expected}, not {value!r}")


def _secrets(given: object, *, debug: bool) -> Iterator[bytes]:
    """The secrets as bytes; one that an attacker would try first is refused (security rule 14)."""
    for one in cast("tuple[object, ...]", given) if isinstance(given, tuple) else (given,):
        if not isinstance(one, str | bytes):
            raise PolicyError(
                f"secret is text or bytes, or a list of them, not {type(one).__name__}"
            )
        secret = one.encode() if isinstance(one, str) else one
        fault = _fault(secret)
        if fault and not debug:
            raise PolicyError(fault)
        if fault:
            warnings.warn(fault, stacklevel=4)
        yield secret


def _fault(secret: bytes) -> str:
    sample = secret.decode("utf-8", "replace").lower() in SAMPLES
    if not sample and len(secret) >= SHORTEST_SECRET:
        return ""
    what = "a well-known sample" if sample else f"only {len(secret)} bytes long"
    return f"the secret is {what}; make a good one with: {A_GOOD_SECRET}"
