"""The app, for INSTALLED_APPS."""

from django.apps import AppConfig


class SeeOtherConfig(AppConfig):
    """seeother: its tables by migration, its advice by system checks."""

    name = "seeother.django"
    label = "seeother"
    verbose_name = "seeother"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401, PLC0415 - checks may look at every app
