"""Every suite: whose tests, what stands in between, and how many there must be.

`least` is the number of tests that pass bare, `visits` the number of requests that seeother saw,
`linted` how many pass where a checker of WSGI or ASGI stands in place of seeother (it finds faults
of tests and their clients); all are what was measured, less a little for other versions of Python.
A test that silently vanishes, or an app that seeother silently does not surround, is found that
way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .projects import Project

PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "inside.record_pytest")
PATIENT: Final = ("--timeout", "60")
RUNTESTS: Final = ("runtests.py", "--settings=inside.settings_django", "--parallel", "1")
OLD_PYTEST: Final = ("pytest==8.4.2", "pytest-timeout==2.4.0")

FLASK: Final = Project(
    "Flask",
    # With a later Werkzeug one test of its own fails, with a later pytest an import.
    ("Werkzeug==3.1.5", *OLD_PYTEST, "asgiref", "greenlet", "python-dotenv"),
    (*PYTEST, *PATIENT),
)
WERKZEUG: Final = Project(
    "Werkzeug",
    (*OLD_PYTEST, "ephemeral-port-reserve==1.1.4", "watchdog==7.1.0", "cffi"),
    # It waits for a reloader that never comes back.
    (*PYTEST, *PATIENT, "--deselect", "tests/test_serving.py::test_reloader_sys_path"),
)
WEBTEST: Final = Project(
    "WebTest",
    (*OLD_PYTEST, "pyquery==2.1.0", "PasteDeploy==3.1.0", "WSGIProxy2==0.5.1", "legacy-cgi==2.6.4"),
    (*PYTEST, *PATIENT),
)
STARLETTE: Final = Project(
    "starlette",
    (
        "pytest==9.2.0",
        "pytest-timeout==2.4.0",
        "opentelemetry-sdk==1.45.2",
        "trio==0.35.0",
        "httpx2[zstd]==2.16.2",
        "blockbuster==1.5.29",
        "python-multipart==0.0.34",
        "itsdangerous",
        "jinja2",
        "pyyaml",
        "httpx",
    ),
    (*PYTEST, *PATIENT, "-k", "not trio"),  # seeother runs under asyncio
)
# pytest is what the checkers of `--lint` are imported beside.
DJANGO: Final = Project("Django", ("jinja2", "pytest==9.2.0"), RUNTESTS, "tests")

CONTRIB: Final = "auth_tests csrf_tests messages_tests sessions_tests test_client"
APPS: Final = (
    "admin_inlines admin_views auth_tests conditional_processing csrf_tests file_uploads"
    " flatpages_tests generic_views handlers messages_tests middleware redirects_tests shortcuts"
    " sitemaps_tests syndication_tests test_client test_client_regress view_tests"
)
# The last is ours; two apps of theirs have to be there for it, and are by one small class of each.
INHERITED: Final = (
    "messages_tests.test_middleware sessions_tests.tests.SessionBaseTests inside.inherited_django"
)


@dataclass(frozen=True)
class Suite:
    """Some tests of a project. `wrap` is the module of `inside` that puts seeother in between."""

    name: str
    project: Project
    wrap: str
    says: str
    least: int
    visits: int
    labels: tuple[str, ...] = ()

    linted: int = 0

    @property
    def lints(self) -> bool:
        """Does it speak WSGI or ASGI to seeother, so that a checker can stand in between?"""
        return self.name.endswith(("-wsgi", "-asgi", "-apps"))

    def command(self, *, protected: bool) -> tuple[str, ...]:
        """What comes after the interpreter."""
        start = self.project.start
        if self.project is DJANGO:
            return (*start, *self.labels)
        between = ("-p", f"inside.{self.wrap}") if protected else ()
        return (*start, *between, *self.labels)

    @property
    def bare(self) -> tuple[str, tuple[str, ...]]:
        """What its bare run is: suites that have the same one share it."""
        return self.project.name, self.command(protected=False)


SUITES: Final = (
    Suite("flask-app", FLASK, "wrap_flask", "every app has SeeOther(app)", 480, 480),
    Suite(
        "flask-session",
        FLASK,
        "wrap_flask_session",
        "SeeOtherSessionInterface() alone",
        480,
        400,
    ),
    Suite("flask-wsgi", FLASK, "wrap_werkzeug", "behind seeother.wsgi", 480, 430, linted=470),
    Suite("werkzeug-wsgi", WERKZEUG, "wrap_werkzeug", "behind seeother.wsgi", 970, 90, linted=950),
    Suite("webtest-wsgi", WEBTEST, "wrap_webtest", "behind seeother.wsgi", 205, 150, linted=204),
    Suite(
        "starlette-asgi",
        STARLETTE,
        "wrap_starlette",
        "behind seeother.asgi",
        770,
        500,
        linted=730,
    ),
    Suite(
        "starlette-session",
        STARLETTE,
        "wrap_starlette_session",
        "the tests of its sessions, with seeother.starlette.SessionMiddleware",
        15,
        25,
        ("tests/middleware/test_session.py",),
    ),
    Suite(
        "django-inherited",
        DJANGO,
        "wrap_django_joined",
        "the tests of all session engines and all message storages, on ours",
        121,
        70,
        tuple(INHERITED.split()),
    ),
    Suite(
        "django-contrib",
        DJANGO,
        "wrap_django_joined",
        "with our middleware, engine and storage",
        1700,
        800,
        tuple(CONTRIB.split()),
    ),
    Suite(
        "django-apps",
        DJANGO,
        "wrap_django_clients",
        "every client behind seeother.wsgi or seeother.asgi",
        2490,
        2600,
        tuple(APPS.split()),
        2400,
    ),
)
