"""The Django lesson as a part of a larger process.

Django has one set of settings in a process, one registry of apps and one database; a lesson is
written as if all of it were its own. So the settings are those of the lesson's arm `seeother`,
which are those of the others and two more names. What differs between the arms is not the project's
but a handler's: the middleware is read when a handler is made, and the URLconf is named by the
request (https://docs.djangoproject.com/en/5.2/topics/http/urls/#how-django-processes-a-request).
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.management import call_command

from ...stores.sqlite import create_private
from .source import load

if TYPE_CHECKING:
    from .arms import Setting

MADE: Final[set[Path]] = set()
LOCK: Final = Lock()
SECONDS: Final = 30


def handler(module: ModuleType, setting: Setting) -> WSGIHandler:
    """A WSGI app of one arm; `module` is its file, run.

    The first call configures Django. Raises RuntimeError where somebody else has done it, or for a
    second folder of data.
    """
    with LOCK:
        _configure(setting)
        request: type[WSGIRequest] = type("Request", (WSGIRequest,), {"urlconf": module.__name__})
        kind: type[WSGIHandler] = type("Handler", (WSGIHandler,), {"request_class": request})
        before = settings.MIDDLEWARE
        settings.MIDDLEWARE = module.MIDDLEWARE
        try:
            return kind()
        finally:
            settings.MIDDLEWARE = before


def _configure(setting: Setting) -> None:
    """Set Django up and make the tables, once."""
    path = setting.data.absolute() / f"{setting.lesson.name}.db"
    if path in MADE:
        return
    if settings.configured:
        raise RuntimeError("Django is configured already: one process, one project, one database")
    create_private(path)
    settings.configure(**_settings(load(setting.lesson, "seeother"), setting, path))
    django.setup()
    call_command("migrate", verbosity=0)
    MADE.add(path)


def _settings(module: ModuleType, setting: Setting, path: Path) -> dict[str, Any]:
    """What the file says, and what the site says from the outside."""
    said = {name: value for name, value in vars(module).items() if name.isupper()}
    database = {**said["DATABASES"]["default"], "NAME": str(path), "OPTIONS": {"timeout": SECONDS}}
    return {
        **said,
        "ALLOWED_HOSTS": ["*"] if setting.hosts is None else list(setting.hosts),
        "DATABASES": {"default": database},
        "DEBUG": False,
        "SECRET_KEY": setting.key,
    }
