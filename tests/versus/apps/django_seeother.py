"""The settings of the shop in Django with seeother; the views stay as they are."""

from tests.versus.apps.django_bare import *  # noqa: F403 - as settings are derived everywhere
from tests.versus.apps.django_bare import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = ["seeother.django", *INSTALLED_APPS]
MIDDLEWARE = ["seeother.django.middleware.SeeOtherMiddleware", *MIDDLEWARE]
SESSION_ENGINE = "seeother.django.sessions"
MESSAGE_STORAGE = "seeother.django.messages.FlashStorage"
