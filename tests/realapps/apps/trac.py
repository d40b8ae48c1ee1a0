"""Trac, an issue tracker: plain WSGI, no framework. Its form opens a ticket."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

# The login is Trac's own: its middleware asks by HTTP, and /login turns that into a cookie.
SITE: Final = """
import os
from trac.web.auth import BasicAuthentication
from trac.web.main import dispatch_request
from trac.web.standalone import AuthenticationMiddleware

here = os.path.dirname(os.path.abspath(__file__))
os.environ["TRAC_ENV"] = os.path.join(here, "project")
auths = {"*": BasicAuthentication(os.path.join(here, "htpasswd"), "project")}
application = AuthenticationMiddleware(dispatch_request, auths, "project")
"""
HASH: Final = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()

APP: Final = App(
    name="trac",
    kind="wsgi",
    says="issue tracker, plain WSGI",
    needs=("Trac==1.6", "setuptools==80.9.0"),
    files={"site_of_app.py": SITE, "htpasswd": f"{PLAYER}:{{SHA}}{HASH}\n"},
    create=(
        ("trac-admin", "project", "initenv", "project", "sqlite:db/trac.db"),
        ("trac-admin", "project", "permission", "add", PLAYER, "TRAC_ADMIN"),
    ),
    login=lambda person: person.sign_in_by_header("/login", PLAYER, PASSWORD),
    task=Task("/newticket", "form#propertyform", {"field_summary": "{}"}, "submit"),
    effect=Effect("project/db/trac.db", "ticket", "summary"),
)
