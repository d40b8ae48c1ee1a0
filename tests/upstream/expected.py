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
CACHED: Final = "asks for max-age=0 beside no-store; on a page with a form no-store stands alone"
HELD: Final = "looks into a page while it streams; up to 64 KiB are held back and planted"
SIGNED: Final = (
    "fixes the signed cookie's own format; a session on the server does not end with a secret"
)
TABLE: Final = "looks for the session in the table of Django's own engine"

# What only a test can see.
NO_REQUEST: Final = "calls an app with an environ that is no request (PEP 3333: REQUEST_METHOD)"
TEXT: Final = "its app answers with text where PEP 3333 asks for bytes"
NO_HEADER: Final = "sends a header whose value is None, which no server does"
CYCLE: Final = (
    "wants an app to be freed without the garbage collector; app and extension are a cycle"
)
WRAPPER: Final = "asks for a private attribute of the body's wrapper; the app gets the body itself"
TOLD: Final = "asks for the disconnect before the answer has left"
CODINGS: Final = "lists all headers; codings of a page that cannot be planted are not asked for"
EMPTY: Final = "counts empty pieces of a body; they are not passed on"
DISORDER: Final = (
    "its app breaks the order of ASGI's messages, and seeother says so first, or mends it"
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
    "werkzeug-wsgi": {
        "tests/test_test.py::test_run_wsgi_apps[*]": NO_REQUEST,
        "tests/test_test.py::test_lazy_start_response_empty_response_app[*]": NO_REQUEST,
        "tests/test_test.py::test_run_wsgi_app_closing_iterator": NO_REQUEST,
        "tests/test_wrappers.py::test_type_forcing": NO_REQUEST,
        "tests/test_wsgi.py::test_closing_iterator": TEXT,
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
        "tests/test_lint.py::TestInputWrapper::test_read": WRAPPER,
        "tests/test_lint.py::TestInputWrapper::test_readline": WRAPPER,
        "tests/test_lint.py::TestInputWrapper::test_readlines": WRAPPER,
    },
    "starlette-asgi": {
        "tests/test_requests.py::test_request_headers[asyncio]": CODINGS,
        "tests/test_requests.py::test_request_is_disconnected[asyncio]": TOLD,
        "tests/test_testclient.py::test_streaming_response_skips_empty_*[asyncio-GET-]": EMPTY,
        "tests/test_testclient.py::test_invalid_trailer_sequence[asyncio-messages0-*": DISORDER,
        "tests/test_testclient.py::test_invalid_trailer_sequence[asyncio-messages1-*": DISORDER,
        "tests/test_testclient.py::test_invalid_trailer_sequence[asyncio-messages3-*": DISORDER,
    },
    "django-inherited": {
        "inside.inherited_django.ReceiptStorageTests.test_full_request_response_cycle": MARKED,
        "inside.inherited_django.ReceiptStorageTests.test_with_template_response": MARKED,
        "inside.inherited_django.ReceiptStorageTests.test_multiple_posts": TABS,
    },
    "django-contrib": {
        "auth_tests.test_remote_user.CustomHeaderRemoteUserTest.test_no_remote_user": NO_HEADER,
        f"{VIEWS}.ChangelistTests.test_user_with_unusable_password_change_password": MARKED,
        f"{VIEWS}.ChangelistTests.test_user_with_usable_password_change_password": MARKED,
        f"{VIEWS}.UUIDUserTests.test_admin_password_change": ACTION,
        "sessions_tests.tests.SessionMiddlewareTests.test_empty_session_saved": TABLE,
    },
    "django-apps": {
        "auth_tests.test_remote_user.CustomHeaderRemoteUserTest.test_no_remote_user": NO_HEADER,
        f"{VIEWS}.ChangelistTests.test_user_with_usable_password_change_password": MARKED,
        f"{VIEWS}.UUIDUserTests.test_admin_password_change": ACTION,
        f"{ADMIN}.*AdminKeepChangeListFiltersTests.test_add_view": MARKED,
        f"{ADMIN}.*AdminKeepChangeListFiltersTests.test_change_view": MARKED,
        f"{ADMIN}.*AdminKeepChangeListFiltersTests.*_without_preserved_filters": ACTION,
        f"{ADMIN}.AdminInheritedInlinesTest.test_inline": FIELDS,
        f"{ADMIN}.AdminViewListEditable.test_changelist_input_html": FIELDS,
        f"{ADMIN}.ReadonlyTest.test_readonly_get": FIELDS,
        f"{ADMIN}.NeverCacheTests.*": CACHED,
        "handlers.tests.HandlerRequestTests.test_async_streaming": HELD,
        "handlers.tests.SignalsTests.test_request_signals_streaming_response": HELD,
    },
}
