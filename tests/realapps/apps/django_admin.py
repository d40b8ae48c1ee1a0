"""Django's admin in a site as `startproject` makes it, with one model. Its form adds a row."""

from __future__ import annotations

from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

# What `startproject` writes stays; behind it stands what an app of one's own needs. Several
# processes write, so transactions begin as writers, as Django's documentation advises for SQLite.
SETTINGS: Final = """
from project.settings import *
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS += ["notes"]
DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS: Final = """
from django.contrib import admin
from django.db import models

class Note(models.Model):
    text = models.CharField(max_length=200)

admin.site.register(Note)
"""
SITE: Final = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from project.wsgi import application
"""
CREATE_USER: Final = (
    "from django.contrib.auth.models import User;"
    f"User.objects.create_superuser('{PLAYER}', '', '{PASSWORD}')"
)

APP: Final = App(
    name="django_admin",
    kind="wsgi",
    says="the admin of Django, with its CSRF protection",
    needs=("Django==5.2.19",),
    files={
        "settings.py": SETTINGS,
        "notes/__init__.py": "",
        "notes/models.py": MODELS,
        "site_of_app.py": SITE,
    },
    create=(
        ("django-admin", "startproject", "project", "."),
        ("django-admin", "makemigrations", "notes", "--settings=settings", "--verbosity=0"),
        ("django-admin", "migrate", "--settings=settings", "--verbosity=0"),
        ("django-admin", "shell", "--settings=settings", "-c", CREATE_USER),
    ),
    login=lambda person: person.sign_in(
        "/admin/login/?next=/admin/", "form#login-form", username=PLAYER, password=PASSWORD
    ),
    task=Task("/admin/notes/note/add/", "form#note_form", {"text": "{}"}, "_save"),
    effect=Effect("db.sqlite3", "notes_note", "text"),
)
