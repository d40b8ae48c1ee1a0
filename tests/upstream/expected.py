"""Which tests pass without seeother and not with it, each with the reason.

Patterns of test ids by suite; `*` stands for anything, brackets are brackets. A pattern that
nothing needs any more is reported like a failure: this list cannot outlive what it excuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# What seeother changes on purpose.
FIELDS: Final = "counts or lists the fields of a form; there is a token more in it"
ACTION: Final = "compares the form's tag to the letter; its action is marked"
MARKED: Final = "compares the Location; it carries the mark of the receipt"
TABS: Final = "a message waits five seconds for its own landing page before another may take it"
HELD: Final = "looks into a page while it streams; up to 64 KiB are held back and planted"
SIGNED: Final = (
    "fixes the signed cookie's own format; a session on the server does not end with a secret"
)
SHARED: Final = (
    "wants a cookie for other hosts, paths or sites; that is refused when the app is made"
)
ENDED: Final = "wants a session that is over at once; that is refused when the app is made"
CALLED: Final = "deletes the cookie by Starlette's name for it; the one here has -s behind that"
TABLE: Final = "looks for the session in the table of Django's own engine"

# What only a test can see.
CYCLE: Final = (
    "wants an app to be freed without the garbage collector; app and extension are a cycle"
)

ADMIN: Final = "admin_views.tests"
VIEWS: Final = "auth_tests.test_views"

EXPECTED: Final[Mapping[str, Mapping[str, str]]] = {
    "flask-app": {
        "tests/test_basic.py::test_session_secret_key_fallbacks": SIGNED,
        "tests/test_basic.py::test_app_freed_on_zero_refcount": CYCLE,
    },
    "flask-session": {
        "tests/test_basic.py::test_session_secret_key_fallbacks": SIGNED,
    },
    "webtest-wsgi": {
        "tests/test_forms.py::TestForms::test_outer_inputs": FIELDS,
        "tests/test_forms.py::TestInput::test_force_radio_input": FIELDS,
        "tests/test_forms.py::TestInput::test_input": FIELDS,
        "tests/test_forms.py::TestInput::test_input_no_default": FIELDS,
        "tests/test_forms.py::TestInput::test_input_unicode": FIELDS,
        "tests/test_forms.py::TestInput::test_radio_input_order": FIELDS,
        "tests/test_forms.py::TestInput::test_textarea_emptyfirstline": FIELDS,
        "tests/test_forms.py::TestInput::test_textarea_entities": FIELDS,
    },
    "starlette-session": {
        "tests/middleware/test_session.py::test_partitioned_session[*]": SHARED,
        "tests/middleware/test_session.py::test_session_cookie_subpath[*]": SHARED,
        "tests/middleware/test_session.py::test_domain_cookie[*]": SHARED,
        "tests/middleware/test_session.py::test_session_expires[*]": ENDED,
        "tests/middleware/test_session.py::test_session_zero_max_age[*]": ENDED,
        "tests/middleware/test_session.py::test_session_cookie[*]": CALLED,
    },
    "django-inherited": {
        "inside.inherited_django.ReceiptStorageTests.test_full_request_response_cycle": MARKED,
        "inside.inherited_django.ReceiptStorageTests.test_with_template_response": MARKED,
        "inside.inherited_django.ReceiptStorageTests.test_multiple_posts": TABS,
    },
    "django-contrib": {
        f"{VIEWS}.ChangelistTests.test_user_with_unusable_password_change_password": MARKED,
        f"{VIEWS}.ChangelistTests.test_user_with_usable_password_change_password": MARKED,
        f"{VIEWS}.UUIDUserTests.test_admin_password_change": ACTION,
        "sessions_tests.tests.SessionMiddlewareTests.test_empty_session_saved": TABLE,
    },
    "django-apps": {
        f"{VIEWS}.UUIDUserTests.test_admin_password_change": ACTION,
        f"{ADMIN}.*AdminKeepChangeListFiltersTests.*_without_preserved_filters": ACTION,
        f"{ADMIN}.AdminInheritedInlinesTest.test_inline": FIELDS,
        f"{ADMIN}.AdminViewListEditable.test_changelist_input_html": FIELDS,
        f"{ADMIN}.ReadonlyTest.test_readonly_get": FIELDS,
        "handlers.tests.HandlerRequestTests.test_async_streaming": HELD,
        "handlers.tests.SignalsTests.test_request_signals_streaming_response": HELD,
    },
}
