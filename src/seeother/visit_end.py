"""The end of a visit: what the view left in it, as one value to be written with the outcome.

Nothing here asks a store. `handled` collects messages, draft, session changes and cookies; the flow
around the view writes them in one step, or none of them.
"""

from __future__ import annotations

from dataclasses import replace
from logging import WARNING
from typing import Final

from .core.cookie import SetCookie
from .core.entry import COOKIE_BYTES, Entry, Greeting
from .core.fingerprint import session_id
from .core.keys import encode
from .core.ops import Granted, Opened
from .core.policy import Policy
from .core.session import Session
from .core.values import Changes, Draft, Flash, Handled, Key, Response, SessionWrite
from .log import clean, happened

TOUCHES: Final = 14  # a busy session is touched about once a day, by unsafe requests only
VISITOR_SECONDS: Final = 400 * 86_400  # the longest that browsers allow (RFC 6265bis 5.5)
UNPROCESSABLE: Final = 422
NOTHING: Final = Opened()
UNCHANGED: Final = Changes()


class Ending:
    """What a visit keeps until its end; `seeother.visit.Visit` adds the verbs."""

    def __init__(self, greeting: Greeting, policy: Policy, *, trusts_307: bool) -> None:
        self.greeting, self.policy = greeting, policy
        self.entry: Entry | None = None
        self.route = ""  # the pattern of the path in the framework's words, for metrics
        self.settled: tuple[SetCookie, ...] | None = None
        self.running: Key | None = None
        self.grant: Granted | None = None
        self._repeats = trusts_307
        self._opened = NOTHING
        self._given: list[Flash] = []
        self._draft_given: Draft | None = None
        self._in_place: Draft | None = None
        self._session: Session | None = None
        self._shown = self._rendered = self._renewed = False
        self._visitor: bytes | None = greeting.visitor
        self._new_sid = b""

    def handled(self, response: Response) -> Handled:
        """What this visit leaves behind, to be written in one step with the outcome."""
        if self.settled is not None:
            cookies = {cookie.name: cookie for cookie in (*self.settled, *self._cookies(None))}
            kept = tuple(cookies.values())
            return Handled(response, rendered=self._rendered, cookies=kept, final=True)
        if self._in_place is not None and 200 <= response.status < 300:
            response = replace(response, status=UNPROCESSABLE)
        if self.entry is not None:
            self._notice(response)
        write = self._session_write()
        return Handled(
            response,
            flashes=tuple(self._given),
            draft=self._draft_given,
            session=write,
            shown=self._shown,
            rendered=self._rendered,
            cookies=self._cookies(write),
            repeat=self._repeats,
            visitor=self._visitor if self._renewed else None,
        )

    def _notice(self, response: Response) -> None:
        """In joined and fenced mode an effect without `once` is nobody's but the app's."""
        named = self.entry is not None and self.entry.named and self.entry.key != self.running
        if named and self.policy.mode in ("joined", "fenced") and response.status < 400:
            request = self.greeting.request
            path = clean(request.root + request.path)
            text = "unprotected: %s %s was answered without once()"
            happened(WARNING, "unprotected", text, request.method, path)

    def _session_write(self) -> SessionWrite | None:
        """What this visit did to its session, and under which id it goes on."""
        session = self._session
        changes = session.changes() if session is not None else UNCHANGED
        rotated = session is not None and session.rotated
        idle = self.greeting.unsafe and self._opened.unseen > self.policy.session_idle / TOUCHES
        if not (changes or rotated or idle):
            return None
        old = self._session_id()
        if old is None:
            return self._begun(changes) if changes.sets or changes.updates else None
        if changes.cleared:  # signed out: what is set afterwards belongs to somebody else
            kept = changes.sets or changes.updates
            write = self._begun(changes) if kept else SessionWrite(old, UNCHANGED)
            return replace(write, ends=old)
        if rotated:
            self._new_sid = self.greeting.request.entropy(COOKIE_BYTES)
            return SessionWrite(session_id(self._new_sid), changes, moves=old)
        return SessionWrite(old, changes)

    def _session_id(self) -> bytes | None:
        """The id of the session that was opened; an unknown id is as good as none."""
        opened = self._opened.session is not None and self.greeting.sid is not None
        return session_id(self.greeting.sid or b"") if opened else None

    def _begun(self, changes: Changes) -> SessionWrite:
        self._new_sid = self.greeting.request.entropy(COOKIE_BYTES)
        return SessionWrite(session_id(self._new_sid), changes, fresh=True)

    def _cookies(self, write: SessionWrite | None) -> tuple[SetCookie, ...]:
        greeting = self.greeting
        out: list[SetCookie] = []
        new = self._renewed or (self._rendered and greeting.visitor is None)
        if new and self._visitor is not None:
            out.append(self._cookie(greeting.names.visitor, self._visitor, VISITOR_SECONDS))
        if write is not None and self._new_sid:
            seconds = int(self.policy.session_idle)
            out.append(self._cookie(greeting.names.session, self._new_sid, seconds))
        elif write is not None and write.ends is not None:
            out.append(SetCookie.expired(greeting.names.session, secure=greeting.secure))
        return tuple(out)

    def _cookie(self, name: str, value: bytes, seconds: int) -> SetCookie:
        return SetCookie(name, encode(value), max_age=seconds, secure=self.greeting.secure)
