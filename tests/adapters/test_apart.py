"""A store that cannot be in the app's own database is refused with the mode that needs that."""

from typing import Any

import pytest

from seeother import asgi, wsgi
from seeother.errors import PolicyError
from seeother.starlette import SeeOtherMiddleware
from seeother.testing.adapter.stage import SECRET


@pytest.mark.parametrize("mode", ["joined", "fenced"])
@pytest.mark.parametrize(
    "kind", [wsgi.SeeOther, asgi.SeeOther, SeeOtherMiddleware], ids=["wsgi", "asgi", "starlette"]
)
def test_a_mode_that_redis_cannot_keep(kind: Any, mode: str) -> None:
    """When the middleware is made, and not with the first form that somebody sends."""
    with pytest.raises(PolicyError, match=f'"{mode}" needs a store in the app\'s own database'):
        kind(None, secret=SECRET, store="redis://localhost", mode=mode)


def test_sessions_alone_may_be_there() -> None:
    """Nothing is claimed where no form gets a token."""
    asgi.SeeOther(None, secret=SECRET, store="redis://localhost", mode="joined", inject=False)  # type: ignore[arg-type]
