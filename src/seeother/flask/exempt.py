"""Flask-WTF's `csrf.exempt` is honoured: who may be posted to from anywhere is the app's decision.

A webhook that is exempt there would be refused here, because its sender names another origin or
none. Which view a request will meet is known before Flask runs: its URL map says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from flask import Flask

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_exempt(app: Flask, environ: dict[str, Any]) -> bool:
    """Did the app exempt the view of this request from Flask-WTF's check?"""
    protection: object = app.extensions.get("csrf")
    if protection is None or environ["REQUEST_METHOD"] in SAFE:
        return False
    try:
        endpoint, _ = app.url_map.bind_to_environ(environ).match()
    except HTTPException:
        return False
    view: Any = app.view_functions.get(endpoint)
    names: dict[str, Any] = vars(protection)
    group = app.blueprints.get(endpoint.rpartition(".")[0])
    name = f"{getattr(view, '__module__', '')}.{getattr(view, '__name__', '')}"
    of_group = group is not None and group in names.get("_exempt_blueprints", ())
    return of_group or name in names.get("_exempt_views", ())
