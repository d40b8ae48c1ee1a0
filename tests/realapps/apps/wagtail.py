"""Wagtail, a CMS, as `wagtail start` makes a site. Its form adds a snippet.

Not a page: two pages of one place cannot have one slug, so Wagtail itself refuses the second.
"""

from __future__ import annotations

from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

SETTINGS: Final = """
from project.settings.dev import *
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS += ["notes"]
DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
"""
MODELS: Final = """
from django.db import models
from wagtail.snippets.models import register_snippet

@register_snippet
class Note(models.Model):
    text = models.CharField(max_length=200)
"""
SITE: Final = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from project.wsgi import application
"""
CREATE_USER: Final = (
    "from django.contrib.auth import get_user_model;"
    f"get_user_model().objects.create_superuser('{PLAYER}', 'a@b.example', '{PASSWORD}')"
)

APP: Final = App(
    name="wagtail",
    kind="wsgi",
    says="a content management system, Django",
    needs=("wagtail==8.0.1",),
    files={
        "settings.py": SETTINGS,
        "notes/__init__.py": "",
        "notes/models.py": MODELS,
        "site_of_app.py": SITE,
    },
    create=(
        ("wagtail", "start", "project", "."),
        ("django-admin", "makemigrations", "notes", "--settings=settings", "--verbosity=0"),
        ("django-admin", "migrate", "--settings=settings", "--verbosity=0"),
        ("django-admin", "collectstatic", "--settings=settings", "--verbosity=0", "--no-input"),
        ("django-admin", "shell", "--settings=settings", "-c", CREATE_USER),
    ),
    login=lambda person: person.sign_in(
        "/admin/login/", "form", username=PLAYER, password=PASSWORD
    ),
    task=Task("/admin/snippets/notes/note/add/", "form#w-editor-form", {"text": "{}"}),
    effect=Effect("db.sqlite3", "notes_note", "text"),
)
