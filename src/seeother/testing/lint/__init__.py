"""Strict checkers of the two protocols between servers and apps, for tests.

Each is a middleware that changes nothing and may stand anywhere in a stack: outside a middleware it
judges what the middleware says to the server, inside it what the middleware says to the app.

    ASGILint(SeeOther(ASGILint(app)))
    WSGILint(SeeOther(WSGILint(app)))
"""

from .asgi import ASGILint as ASGILint
from .faults import LintError as LintError
from .wsgi import WSGILint as WSGILint
