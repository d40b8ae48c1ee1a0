"""The settings of the shop in Django, less what a shop does not need."""

from pathlib import Path
from typing import Any

SECRET_KEY = "a key for a shop that sells nothing"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.versus.apps.shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.messages",
    "tests.versus.apps.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path("shop.db").absolute(),
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL"},
    }
}
FORM = """<!doctype html><title>Tea</title>
<form method="post" action="{% url 'order' %}">{% csrf_token %}
<input name="tea"><textarea name="note"></textarea><button>Order</button></form>"""
DONE = """<!doctype html><title>Thank you</title>
{% for said in messages %}<p role="status">{{ said }}</p>{% endfor %}
<p>Your last order: {{ request.session.last }}</p>"""
PAGES = ("django.template.loaders.locmem.Loader", {"form.html": FORM, "done.html": DONE})
CONTEXT = [
    "django.template.context_processors.request",
    "django.contrib.messages.context_processors.messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"context_processors": CONTEXT, "loaders": [PAGES]},
    }
]
