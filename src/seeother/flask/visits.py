"""The visit of a Flask request: the session in Flask's codec, under Flask's cookie.

Two things are Flask's and not ours: what the session cookie is called and how it is set
(`SESSION_COOKIE_*`, `permanent`), and that a message may be left for somebody who has no visitor
cookie yet. A receipt belongs to a visitor, so such a message goes into the session, where Flask
would have put it; so does one that is left after the submission was settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from flask.json.tag import TaggedJSONSerializer

from ..core.cookie import CookieNames, SetCookie, read_cookie
from ..core.entry import COOKIE_BYTES, Greeting
from ..core.keys import decode, encode
from ..core.policy import Policy
from ..core.session import Session
from ..core.values import Changes, Flash, Handled, Response, SessionWrite
from ..visit import Visit

if TYPE_CHECKING:
    from flask import Flask
    from flask.sessions import SessionInterface

FLASHES: Final = "_flashes"
TAGGED: Final = "\x00"
CODEC: Final = TaggedJSONSerializer()

Message = tuple[str, Any]


def dump(value: Any) -> bytes:
    """A value of the session as bytes: tuples, bytes, markup, UUIDs and dates survive."""
    return CODEC.dumps(value).encode()


def load(data: bytes) -> Any:
    """The inverse of `dump`."""
    return CODEC.loads(data.decode())


def flash_of(message: Sequence[Any]) -> Flash:
    """Flask's (category, text) as a message; what is no plain text (markup) is tagged."""
    category, text = (
        one if type(one) is str and not one.startswith(TAGGED) else TAGGED + CODEC.dumps(one)
        for one in message
    )
    return Flash(text, category)


def message_of(flash: Flash) -> Message:
    """The inverse of `flash_of`."""
    category, text = (
        CODEC.loads(one.removeprefix(TAGGED)) if one.startswith(TAGGED) else one
        for one in (flash.category, flash.text)
    )
    return category, text


@dataclass(frozen=True, slots=True)
class SessionCookie(SetCookie):
    """Flask's session cookie; with what Flask may be told to add, or (`bare`) not to say."""

    domain: str | None = None
    partitioned: bool = False
    bare: bool = False

    def header(self) -> bytes:
        """Render the value of a Set-Cookie header; Flask sends `Expires`, so it is there too."""
        text = SetCookie.header(self).decode("ascii")
        parts = [text.replace(f"; SameSite={self.same_site}", "") if self.bare else text]
        if self.max_age is not None:
            ends = datetime.now(UTC) + timedelta(seconds=self.max_age)
            ends = ends if self.max_age else datetime.fromtimestamp(0, UTC)
            parts.append(f"Expires={format_datetime(ends, usegmt=True)}")
        parts += [f"Domain={self.domain}"] if self.domain else []
        parts += ["Partitioned"] if self.partitioned else []
        return "; ".join(parts).encode("ascii")


class Style(NamedTuple):
    """How an app wants its session cookie: the SESSION_COOKIE_* settings.

    Most answers set none, so all but the name is read where one is set.
    """

    interface: SessionInterface
    app: Flask

    @property
    def name(self) -> str:
        """What it is called."""
        return self.interface.get_cookie_name(self.app)

    @property
    def lifetime(self) -> int:
        """How long a permanent one lives, in seconds."""
        return int(self.app.permanent_session_lifetime.total_seconds())

    @property
    def refreshed(self) -> bool:
        """Is a permanent one renewed by every answer?"""
        return bool(cast("Mapping[str, Any]", self.app.config)["SESSION_REFRESH_EACH_REQUEST"])

    @property
    def attributes(self) -> dict[str, Any]:
        """Everything else that it says."""
        flasks, app = self.interface, self.app
        same_site = flasks.get_cookie_samesite(app)
        return {
            "path": flasks.get_cookie_path(app),
            "domain": flasks.get_cookie_domain(app) or None,
            "secure": flasks.get_cookie_secure(app),
            "http_only": flasks.get_cookie_httponly(app),
            "same_site": (same_site or "Lax").capitalize(),
            "bare": same_site is None,
            "partitioned": flasks.get_cookie_partitioned(app),
        }


class FlaskVisit(Visit):
    """One request, seen from a Flask view.

    `running_view`: what is left now goes into the Settle of its submission. `notices`: an effect
    without `once` is logged. `receipts`: messages may travel with a redirect. `touched`: the view
    says that the session was modified; `noted`: it only left or took messages, which travel by
    themselves, so the cookie says nothing new.
    """

    dump = staticmethod(dump)
    load = staticmethod(load)

    def __init__(
        self, greeting: Greeting, policy: Policy, style: Style, *, notices: bool = False
    ) -> None:
        super().__init__(_own(greeting, style.name), policy)
        self.style = style
        self.touched = self.noted = False
        self.receipts = True
        self.running_view = False
        self._notices = notices
        self._over = False

    @property
    def rejected(self) -> bool:
        """Did the view give a draft?"""
        return self._draft_given is not None

    def wrote(self) -> None:
        """What there was to write is written; what comes from here on is a change to that."""
        session, ends, rows = self._session, self._over, self._opened.session
        if session is not None:
            changes = session.changes()
            self.touched = self.touched or bool(changes)
            ends = ends or (changes.cleared and not self._new_sid)
            rows, self._session = None if ends else session.rows(), None
        self._opened = replace(self._opened, session=rows, unseen=0.0)
        sid = None if ends else self._new_sid or self.greeting.sid
        if sid != self.greeting.sid:
            self.greeting = replace(self.greeting, sid=sid)
        self._given, self._draft_given, self._over = [], None, ends

    def late(self) -> SessionWrite | None:
        """What hooks changed in the session after the submission was settled."""
        self._given = self._into_session()
        return self._session_write()

    def forget(self) -> None:
        """The submission had no effect; a session that it began was never written."""
        super().forget()
        self._new_sid = b""

    def handled(self, response: Response) -> Handled:
        """What this visit leaves behind.

        Of a submission it is asked twice: what its view set is recorded with the outcome, what
        hooks set afterwards comes with the answer as it is sent.
        """
        if self.settled is None:
            self._given = self._into_session()
        handled = super().handled(response)
        if response.status >= 500:  # Flask made a page of an exception: nobody saw the messages
            handled = replace(handled, shown=False)
        return handled

    def user(self) -> str | None:
        """Flask-Login's user id; None where nobody is signed in."""
        from .login import user_id  # noqa: PLC0415 - it knows visits

        return user_id()

    @property
    def opened_for(self) -> str | None:
        """The user that Flask-Login had in the session when this request came."""
        found = dict(self._opened.session or ()).get("_user_id")
        return None if found is None else str(load(found))

    def _into_session(self) -> list[Flash]:
        """Messages that no receipt can carry go into the session; returns the others."""
        carried = self.receipts and self.greeting.visitor is not None and self.settled is None
        if self._given and not carried:
            kept = list(self.session.get(FLASHES, ()))
            self.session[FLASHES] = [*kept, *map(message_of, self._given)]
            return []
        return self._given

    def _notice(self, response: Response) -> None:
        if self._notices:
            super()._notice(response)

    def _cookies(self, write: SessionWrite | None) -> tuple[SetCookie, ...]:
        cookie = self._session_cookie(write)
        return (*(() if cookie is None else (cookie,)), *super()._cookies(None))

    def _session_cookie(self, write: SessionWrite | None) -> SetCookie | None:
        """Set, renewed, deleted or left alone: as Flask decides about its own."""
        changes = self._session.changes() if self._session is not None else Changes()
        touched = self.touched or bool(changes)
        ended = self._over or (write is not None and write.ends is not None)
        if not self._new_sid and (ended or (touched and not self.session)):
            return self._cookie_of(b"", 0)
        sid = self._new_sid or (None if self.session_is_new else self.greeting.sid)
        if sid is None:
            return None
        permanent = bool(self.session.get("_permanent"))
        if not (self._new_sid or touched or (permanent and self.style.refreshed)):
            return None
        return self._cookie_of(sid, self.style.lifetime if permanent else None)

    def _cookie_of(self, sid: bytes, seconds: int | None) -> SessionCookie:
        value = encode(sid) if sid else ""
        return SessionCookie(self.style.name, value, max_age=seconds, **self.style.attributes)


def _own(greeting: Greeting, name: str) -> Greeting:
    """The greeting with the session that Flask's own cookie names."""
    lines = [value for key, value in greeting.request.headers if key == b"cookie"]
    found = read_cookie(lines, name.encode())
    sid = None if found is None else decode(found.decode("latin-1"), COOKIE_BYTES)
    return replace(greeting, sid=sid, names=_named(greeting.names, name))


@lru_cache(maxsize=64)  # an app has one name for it
def _named(names: CookieNames, session: str) -> CookieNames:
    return replace(names, session=session)


def session_of(visit: Visit) -> Session:
    """The session of a visit, in Flask's codec whoever made the visit."""
    if not isinstance(visit, FlaskVisit):
        visit.dump, visit.load = dump, load  # of this one visit
    return visit.session
