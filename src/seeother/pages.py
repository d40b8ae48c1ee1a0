"""The pages that seeother shows itself, rendered in this one place.

Three kinds, all plain HTML that works without script, on a phone and in the dark:

* `error_page`    what happened, what was kept, what to do; in debug also which rule decided;
* `resend_page`   what was typed, one sentence why it did not go through, a Send button;
* `already_page`  for a repeated submission whose first answer was a page and not a redirect.

The resend page is the answer to everything that is not the person's fault: an expired token, a
locked database, a browser that refuses cookies. It needs no store at all. It is shown only where it
is proved that our own page sent the form: nothing of a cross-site request is ever echoed (security
rule 9). It shows every field, also the ones that were hidden, because who presses Send must be able
to see what is sent; password-like fields come back empty.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from .core.values import Response
from .errors import SeeOtherError

STYLE: Final = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;font:1.0625rem/1.55 system-ui,sans-serif;color:#1c2330;background:#f5f6f8}
main{max-width:40rem;margin:0 auto;padding:2.5rem 1.25rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .75rem}
p{margin:0 0 1rem}
label{display:block;font-weight:600;margin:1.25rem 0 .35rem}
input,textarea{font:inherit;width:100%;padding:.6rem .7rem;border:1px solid #767f8e;
 border-radius:.5rem;color:inherit;background:#fff}
textarea{min-height:2.9rem;resize:vertical}
button,.button{font:inherit;font-weight:600;min-height:2.9rem;padding:.6rem 1.4rem;
 margin:1.5rem 0 0;border:0;border-radius:.5rem;color:#fff;background:#1d4f91;cursor:pointer;
 display:inline-block;text-decoration:none}
:focus-visible{outline:3px solid #3b82d6;outline-offset:2px}
a{color:#1d4f91}
.error{color:#a11122;margin:.25rem 0 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.9rem;padding:.8rem 1rem;
 border-radius:.5rem;background:#e8eaee}
@media(prefers-color-scheme:dark){
 body{color:#e7eaf0;background:#14171c}input,textarea{background:#1d2128}
 a{color:#8fbcff}button,.button{background:#8fbcff;color:#10141a}.error{color:#ff9aa5}pre{background:#1d2128}}
"""
CSP: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Cookie"),
    (b"content-security-policy", CSP.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)


def error_page(error: SeeOtherError, *, debug: bool = False, home: str | None = None) -> Response:
    """A refusal that shows nothing of the request; `home` is a plain link to the form."""
    back = f'<p><a class="button" href="{escape(home)}">Open the form</a></p>' if home else ""
    detail = (
        f"<pre>{escape(error.reason)}: {escape(error.detail)}</pre>"
        if debug and error.detail
        else ""
    )
    body = f"<h1>{escape(error.title)}</h1><p>{escape(error.hint)}</p>{back}{detail}"
    return _page(error.status, error.title, body)


def resend_page(
    error: SeeOtherError,
    fields: Iterable[tuple[str, str]],
    *,
    action: str,
    token: str,
    status: int | None = None,
    errors: Mapping[str, str] | None = None,
    secret: Iterable[str] = (),
    debug: bool = False,
) -> Response:
    """The form once more: everything typed, one sentence why, a Send button.

    `token` is the hidden field as HTML; `errors` are shown beside their fields; fields named in
    `secret` come back empty.
    """
    problems, hidden = dict(errors or {}), frozenset(secret)
    rows = "".join(
        _row(n, name, value, problems.pop(name, None), name in hidden)
        for n, (name, value) in enumerate(fields)
    )
    rest = "".join(f'<p class="error">{escape(text)}</p>' for text in problems.values())
    detail = (
        f"<pre>{escape(error.reason)}: {escape(error.detail)}</pre>"
        if debug and error.detail
        else ""
    )
    body = (
        f'<h1>{escape(error.title)}</h1><div role="alert"><p>{escape(error.hint)}</p>{rest}</div>'
        f'<form method="post" action="{escape(action)}">{token}{rows}'
        f'<button type="submit">Send</button></form>{detail}'
    )
    return _page(status or error.status, error.title, body)


def waiting_page(here: str) -> Response:
    """The first one is still running: this page asks again every second, also without script."""
    body = (
        '<h1>Still being saved</h1><p role="status">This takes longer than usual. Nothing is lost'
        " and nothing has to be sent again; this page goes on by itself.</p>"
        f'<p><a class="button" href="{escape(here)}">Check now</a></p>'
    )
    page = _page(200, "Still being saved", body)
    kept = tuple((k, v) for k, v in page.headers if k != b"cache-control")
    return Response(200, (*kept, (b"cache-control", b"no-store"), (b"refresh", b"1")), page.body)


def already_page(home: str, link: str = "Back to the form") -> Response:
    """The answer to a repeated submission whose first answer was no redirect, or is not kept."""
    body = (
        "<h1>This was already done</h1>"
        "<p>It took effect once; sending it again changed nothing.</p>"
        f'<p><a class="button" href="{escape(home)}">{escape(link)}</a></p>'
    )
    return _page(200, "This was already done", body)


def _row(number: int, name: str, value: str, problem: str | None, secret: bool) -> str:
    label = escape(name.replace("_", " ").replace("-", " ").strip().capitalize() or "Field")
    about = f'id="f{number}" name="{escape(name)}"'
    if problem:
        about += f' aria-invalid="true" aria-describedby="e{number}"'
    if secret:
        field = f'<input type="password" {about} autocomplete="off">'
    else:
        lines = min(12, 1 + value.count("\n") + len(value) // 60)
        field = f'<textarea {about} rows="{lines}">\n{escape(value, quote=False)}</textarea>'
    note = f'<p class="error" id="e{number}">{escape(problem)}</p>' if problem else ""
    return f'<label for="f{number}">{label}</label>{field}{note}'


def _page(status: int, title: str, body: str) -> Response:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    ).encode()
    length = (b"content-length", str(len(html)).encode())
    return Response(status, (*HEADERS, length), html)
