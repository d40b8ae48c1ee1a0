"""PEP 3333's own validator, for a stack that carries an object in its environ.

`wsgiref.validate` asks every environ key without a dot to be text, because those are the CGI
variables. The visit stands under `environ["seeother"]`, a name without a dot: short, because views
write it. So that one key is carried past the validator, and everything else is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.validate import validator as pep3333

App = Callable[[dict[str, Any], Any], Iterable[bytes]]

CARRIED: Final = "seeother"


class WSGILint:
    """WSGI middleware that raises AssertionError where server or app break PEP 3333.

    `validator` is the lint to run: `wsgiref.validate.validator` or, stricter about some things and
    laxer about others, `webtest.lint.middleware`.

    >>> def app(environ, start_response):
    ...     start_response("200 OK", [])
    ...     return [b"hello"]
    >>> from wsgiref.util import setup_testing_defaults
    >>> environ = {"QUERY_STRING": ""}
    >>> setup_testing_defaults(environ)
    >>> WSGILint(app)(environ, print)
    Traceback (most recent call last):
    AssertionError: No Content-Type header found in headers ([])
    """

    def __init__(self, app: App, validator: Callable[[Any], Any] = pep3333) -> None:
        self.app = app
        self._judge = validator

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """One request, judged."""
        carried = {CARRIED: environ[CARRIED]} if CARRIED in environ else {}
        seen = {key: value for key, value in environ.items() if key != CARRIED}

        def inner(judged: dict[str, Any], respond: Any) -> Iterable[bytes]:
            judged.update(carried)
            return self.app(judged, respond)

        answer: Iterable[bytes] = self._judge(inner)(seen, start_response)
        return answer
