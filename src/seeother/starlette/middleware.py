"""The two middlewares: everything, or the sessions alone.

`SeeOtherMiddleware` is `seeother.asgi.SeeOther` for an app that knows of it: `request.session` is
the visit's session, the visit is in reach of `see_other`, and pages are not converted.

`SessionMiddleware` takes the place of Starlette's own, argument by argument. What changes is where
the session is: in the store, so that two requests at once lose no write, and not in the cookie.
Everything else it leaves to the app: no form gets a token and nothing is refused. The cookie that
Starlette's own has set is read once and upgraded (`legacy`), so nobody is signed out by the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from starlette.datastructures import Secret

from ..asgi import SeeOther, request_of
from ..channel import App, Receive, Scope, Send
from ..core.entry import Greeting, greet
from ..core.fingerprint import session_id
from ..core.legacy import Rows, look
from ..core.ops import Flow, Open, Opened
from ..core.origin import Verdict
from ..core.policy import Policy
from ..core.values import Request
from ..errors import PolicyError, Refused
from ..setup import performing
from ..visit import Visit
from .legacy import KEY, OldCookies, Upgrade
from .sessions import RequestSession, Wording, session_of, varying
from .verbs import CURRENT

T = TypeVar("T")

DAYS_14: Final = 14 * 86_400


class SeeOtherMiddleware(SeeOther):
    """Around a Starlette or FastAPI app; all settings are keyword arguments.

    `app.add_middleware(SeeOtherMiddleware, secret=...)`. Every form that is posted is a submission
    (separate); inside, `once` makes it exactly once (fenced; joined with `mode="joined"`).

    >>> from starlette.applications import Starlette
    >>> app = Starlette()
    >>> app.add_middleware(SeeOtherMiddleware, secret="0123456789abcdef0123456789abcdef")
    """

    explicit = True

    def __init__(self, app: App, /, **policy: Any) -> None:
        super().__init__(_around(app), **{"convert": False, **policy})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; a websocket of our own pages may read the session."""
        if scope["type"] == "websocket" and "seeother" not in scope:
            scope = {**scope, "session": await self._session_of(scope)}
        elif isinstance(scope.get("seeother"), Visit):  # of one that stands around this one
            scope = self.inner(scope, scope["seeother"])
        await super().__call__(scope, receive, send)

    async def _session_of(self, scope: Scope) -> RequestSession:
        """What a handshake may read; empty for one that another site made (security rule 26).

        A browser sends cookies along with every handshake, so its Origin has to be ours.
        """
        scheme = {"wss": "https"}.get(scope.get("scheme", "ws"), "http")
        request = request_of({**scope, "method": "POST", "scheme": scheme})
        try:
            greeting = greet(request, self.policy)
        except Refused:
            return RequestSession()
        if greeting.verdict is not Verdict.PASS:
            return RequestSession()
        if greeting.sid is None:
            return RequestSession(await self.inherited(greeting))
        ask = partial(self.store.perform, Open(None, session_id(greeting.sid)))
        opened: Opened = await self.driver.aread(ask)
        return RequestSession(opened.session or ())

    async def inherited(self, _greeting: Greeting) -> Rows:
        """What a handshake without a session of ours may read."""
        return ()

    def inner(self, scope: Scope, visit: Visit) -> Scope:
        """The scope that the app sees: Starlette's `request.session` is the visit's."""
        CURRENT.set(visit)
        return {**super().inner(scope, visit), "session": session_of(visit)}


class SessionMiddleware(SeeOtherMiddleware):
    """Starlette's `SessionMiddleware`, with sessions that lose no write.

    The arguments are Starlette's. With `max_age` None the cookie ends with the browser, and its
    values after 14 days without a visit. `store` and every other setting of seeother may follow.
    Raises PolicyError for what cannot be promised: a `domain`, a `path` below the root,
    `same_site="none"` and `partitioned` would give the cookie away to others.
    """

    def __init__(  # noqa: PLR0917 - Starlette's own signature
        self,
        app: App,
        /,
        secret_key: str | Secret,
        session_cookie: str = "session",
        max_age: int | None = DAYS_14,
        path: str = "/",
        same_site: str = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        **policy: Any,
    ) -> None:
        asked = {"path": path, "domain": domain, "partitioned": partitioned}
        for name, value in asked.items():
            if value not in ("/", None, False):
                raise PolicyError(f"{name}={value!r}: the cookie is this host's, for every path")
        if same_site == "none":
            raise PolicyError('same_site="none" would send the session to every other site')
        secrets = _listed(policy.get("secret", ()))
        name = str(policy.get("cookie_name", session_cookie)).removeprefix("__Host-")
        self._wording = Wording(f"{name}-s", ageless=max_age is None, strict=same_site == "strict")
        self._halves: set[asyncio.Future[Any]] = set()
        self._old = OldCookies(session_cookie, (str(secret_key), *secrets), max_age)
        super().__init__(
            app,
            **{
                "secret": str(secret_key),
                "cookie_name": session_cookie,
                "session_idle": DAYS_14 if max_age is None else max_age,
                "cookie_secure": True if https_only else "auto",
                "mode": "joined",
                "inject": False,
                **policy,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; around one that brings an old cookie stands its upgrade."""
        send = self._wording.sending(send)
        upgrade = self._upgrade(scope)
        if upgrade is not None:
            await upgrade.begin()
            scope, send = {**scope, KEY: upgrade}, upgrade.sending(send)
        await super().__call__(scope, receive, send)

    def inner(self, scope: Scope, visit: Visit) -> Scope:
        """The scope that the app sees; of an old cookie its values are the session."""
        upgrade = scope.get(KEY)
        if isinstance(upgrade, Upgrade):
            upgrade.join(visit)
        return super().inner(scope, visit)

    async def inherited(self, greeting: Greeting) -> Rows:
        """The values of an old cookie, or of the session that it has become."""
        old = self._old.read(greeting, self.policy)
        if old is None:
            return ()
        opened = await self._driven(look(old))
        return old.rows if opened is None else opened.session or ()

    def _upgrade(self, scope: Scope) -> Upgrade | None:
        """What is to be done about the old cookie of a request, if there is one."""
        if scope["type"] != "http" or "seeother" in scope or not self._old.among(scope["headers"]):
            return None
        request = request_of(scope)
        policy = self.policy_of(request)
        try:
            greeting = greet(request, policy)
        except Refused:  # it will be said where every request is judged
            return None
        old = self._old.read(greeting, policy)
        return None if old is None else Upgrade(self._old, old, greeting, policy, self._driven)

    async def _driven(self, flow: Flow[T]) -> T:
        """Drive a flow to its end, also where the client goes away: it has two halves."""
        perform = performing(self.store.perform, self.policy)
        task = asyncio.ensure_future(self.driver.arun(flow, perform))
        self._halves.add(task)
        task.add_done_callback(self._halves.discard)
        return await asyncio.shield(task)

    def policy_of(self, request: Request) -> Policy:
        """Where a form comes from is the app's business, as with Starlette's own."""
        policy = super().policy_of(request)
        return replace(policy, exempt=(*policy.exempt, request.root + request.path))


def _around(app: App) -> App:
    """The app, with what is said of its answers: they vary by the session that they show.

    Where a request came with an old cookie its upgrade stands there too.
    """

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        session, upgrade = scope.get("session"), scope.get(KEY)
        if scope["type"] == "http" and isinstance(session, RequestSession):
            send = varying(session, send)
        await app(scope, receive, upgrade.leaving(send) if isinstance(upgrade, Upgrade) else send)

    return watched


def _listed(secrets: str | bytes | Iterable[str | bytes]) -> tuple[str | bytes, ...]:
    return (secrets,) if isinstance(secrets, str | bytes) else tuple(secrets)
