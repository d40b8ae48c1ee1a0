"""The app, for INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig


class SeeOtherConfig(AppConfig):
    """seeother: its tables by migration, its advice by system checks."""

    name = "seeother.django"
    label = "seeother"
    verbose_name = "seeother"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("seeother.django.checks")
