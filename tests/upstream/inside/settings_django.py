"""Settings of Django's own test suite; with the middleware in between also those of a project.

`runtests.py` decides about apps and middleware itself, in two lists of its own. It reads the
settings first, so this is the moment to add to them. Some sixty tests ask for status 302, so that
is what redirects say here (`redirect_status`).
"""

import os

import __main__

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3"},
    "other": {"ENGINE": "django.db.backends.sqlite3"},
}
SECRET_KEY = "a key that is long enough for every suite of Django's"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "inside.record_django.Recording"

if os.environ["UPSTREAM_WRAP"] == "wrap_django_joined":
    SESSION_ENGINE = "seeother.django.sessions"
    MESSAGE_STORAGE = "seeother.django.messages.FlashStorage"
    SEEOTHER = {"redirect_status": 302}
    __main__.ALWAYS_MIDDLEWARE.insert(0, "seeother.django.middleware.SeeOtherMiddleware")
    __main__.ALWAYS_INSTALLED_APPS.append("seeother.django")
