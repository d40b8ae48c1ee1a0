"""django-machina, a forum, set up as its documentation says. Its form opens a topic."""

from __future__ import annotations

from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

PARTS: Final = (
    "forum forum_conversation forum_conversation.forum_attachments"
    " forum_conversation.forum_polls forum_feeds forum_moderation forum_search"
    " forum_tracking forum_member forum_permission"
)
SETTINGS: Final = f"""
from machina import MACHINA_MAIN_STATIC_DIR, MACHINA_MAIN_TEMPLATE_DIR
from project.settings import *
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS += ["mptt", "haystack", "widget_tweaks", "machina"]
INSTALLED_APPS += [f"machina.apps.{{part}}" for part in "{PARTS}".split()]
MIDDLEWARE += ["machina.apps.forum_permission.middleware.ForumPermissionMiddleware"]
TEMPLATES[0]["DIRS"] = [MACHINA_MAIN_TEMPLATE_DIR]
TEMPLATES[0]["OPTIONS"]["context_processors"] += ["machina.core.context_processors.metadata"]
STATICFILES_DIRS = [MACHINA_MAIN_STATIC_DIR]
STATIC_ROOT = BASE_DIR / "static"
DATABASES["default"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}
HAYSTACK_CONNECTIONS = {{"default": {{"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}}}
CACHES = {{
    "default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "machina_attachments": {{
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": BASE_DIR / "attachments",
    }},
}}
ROOT_URLCONF = "urls"
"""
URLS: Final = """
from django.contrib import admin
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls), path("forum/", include("machina.urls"))]
"""
SITE: Final = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from project.wsgi import application
"""
CREATE: Final = (
    "from django.contrib.auth.models import User;"
    "from machina.apps.forum.models import Forum;"
    f"User.objects.create_superuser('{PLAYER}', '', '{PASSWORD}');"
    "Forum.objects.create(name='Forum', type=Forum.FORUM_POST)"
)

APP: Final = App(
    name="machina",
    kind="wsgi",
    says="a forum, Django",
    needs=("django-machina==1.3.1", "Django==5.2.19", "setuptools==80.9.0"),
    files={"settings.py": SETTINGS, "urls.py": URLS, "site_of_app.py": SITE},
    create=(
        ("django-admin", "startproject", "project", "."),
        ("django-admin", "migrate", "--settings=settings", "--verbosity=0"),
        ("django-admin", "collectstatic", "--settings=settings", "--verbosity=0", "--no-input"),
        ("django-admin", "shell", "--settings=settings", "-c", CREATE),
    ),
    login=lambda person: person.sign_in(
        "/admin/login/?next=/admin/", "form#login-form", username=PLAYER, password=PASSWORD
    ),
    task=Task(
        "/forum/forum/forum-1/topic/create/",
        "form[enctype]",
        {"subject": "{}", "content": "a text about it"},
    ),
    effect=Effect("db.sqlite3", "forum_conversation_topic", "subject"),
)
