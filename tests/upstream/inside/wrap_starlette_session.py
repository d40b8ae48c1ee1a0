"""Our SessionMiddleware under the name of Starlette's own, in Starlette's tests of its sessions.

Starlette's arguments are all there is: only the store, which leaves no file, is said beside them.
"""

from __future__ import annotations

from functools import partial

from starlette.middleware import sessions

from seeother.core import policy
from seeother.starlette import SessionMiddleware

from .between import STORE

policy.SHORTEST_SECRET = 1  # type: ignore[misc]  # the suite's own has seven letters
sessions.SessionMiddleware = partial(SessionMiddleware, store=STORE)  # type: ignore[misc, assignment]
