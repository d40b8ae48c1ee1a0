"""The app, for INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig, apps


class SeeOtherConfig(AppConfig):
    """seeother: its tables by migration, its advice by system checks."""

    name = "seeother.django"
    label = "seeother"
    verbose_name = "seeother"

    def ready(self) -> None:
        """Register the system checks, and hear who signs in and out."""
        import_module("seeother.django.checks")
        if apps.is_installed("django.contrib.auth"):
            import_module("seeother.django.login")
