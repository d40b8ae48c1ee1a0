"""docs/django.md, as the project that its blocks are; in a process of its own, set up anew."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "django.md"
BLOCK = re.compile(r"^```python\n# (.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What `django-admin startproject` brings.
USUAL = """
SECRET_KEY = "the key of a project: long enough for everybody"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "project.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
"""
BEGIN = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
call_command("check", fail_level="WARNING")
"""


def test_the_page_is_a_project(tmp_path: Path) -> None:
    """Copied into its files, checked, migrated: the page's last block holds."""
    blocks = dict(BLOCK.findall(PAGE.read_text("utf-8")))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    settings = blocks["settings.py"] + USUAL + blocks["settings.py, below DATABASES"]
    (tmp_path / "settings.py").write_text(settings)
    for name in ("shop/models.py", "urls.py"):
        (tmp_path / name).write_text(blocks[name])
    (tmp_path / "visit.py").write_text(BEGIN + blocks["python manage.py shell"])
    command = [sys.executable, "visit.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
