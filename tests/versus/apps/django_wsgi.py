"""The shop in Django as a server runs it; DJANGO_SETTINGS_MODULE says which. Run: its tables."""

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from tests.versus.apps import trouble

application = trouble.wsgi(get_wsgi_application())

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
