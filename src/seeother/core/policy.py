"""Every knob, once: one frozen dataclass, one table of names.

The field names below are the keyword arguments of every adapter, the `SEEOTHER_*` keys of a Flask
config and of the environment, and the keys of the Django dict. An unknown name is an error that
suggests the nearest one; nothing is ever ignored silently.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

from ..errors import PolicyError
from .keys import Keyring
from .token import OnEdit

Mode = Literal["joined", "fenced", "hooked", "separate"]

DAY: Final = 86_400.0
MIB: Final = 1 << 20
SHORTEST_SECRET: Final = 32
SAMPLES: Final = frozenset(
    {"supersecretkey", "secret", "dev", "changeme", "secret key", "password"}
)
A_GOOD_SECRET: Final = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
FRAMEWORK_FIELDS: Final = (
    "so_token",
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

    >>> Policy.of({"patience": 5}).patience
    5.0
    >>> Policy.of({"pateince": 5})
    Traceback (most recent call last):
    seeother.errors.PolicyError: unknown setting 'pateince'; did you mean 'patience'?
    """

    secret: str | bytes | tuple[str | bytes, ...] | None = None
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
        for name in ("max_age", "lease", "patience", "echo", "session_idle", "session_lifetime"):
            _check_duration(name, getattr(self, name))
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_choice("on_edit", self.on_edit, get_args(OnEdit))
        _check_choice("mode", self.mode, (None, *get_args(Mode)))
        _check_choice("redirect_status", self.redirect_status, (303, 302))
        if self.secret is not None:
            secrets = self.secret if isinstance(self.secret, tuple) else (self.secret,)
            raw = [s.encode() if isinstance(s, str) else s for s in secrets]
            for one in raw:
                _check_secret(one, debug=bool(self.debug))
            object.__setattr__(self, "ring", Keyring.make(raw, self.namespace))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Policy:
        """A policy from keyword arguments; lists become tuples, unknown names raise PolicyError."""
        known = {f.name for f in fields(cls) if f.init}
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise PolicyError(f"unknown setting {name!r}{hint}")
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()
        }
        return cls(**values)

    @property
    def ignored(self) -> frozenset[str]:
        """Names of fields that are no part of the input: tokens of ours and of frameworks."""
        return frozenset((*FRAMEWORK_FIELDS, *self.ignore_fields))

    def is_secret(self, name: str) -> bool:
        """Is this a field that is never kept in a draft?"""
        low = name.lower()
        return any(word in low for word in self.secret_fields)


def _check_duration(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise PolicyError(f"{name} is a number of seconds, not {value!r}")


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise PolicyError(f"{name} is one of {listed}, not {value!r}")


def _check_secret(secret: bytes, *, debug: bool) -> None:
    """Refuse what an attacker would try first (security rule 14); in debug anything goes."""
    sample = secret.decode("utf-8", "replace").lower() in SAMPLES
    if (len(secret) < SHORTEST_SECRET or sample) and not debug:
        raise PolicyError(
            f"the secret is {'a well-known sample' if sample else f'only {len(secret)} bytes long'};"
            f" make a good one with: {A_GOOD_SECRET}"
        )
