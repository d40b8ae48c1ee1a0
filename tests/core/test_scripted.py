"""Who asks by script, what becomes of the page, and who shows what comes."""

import pytest

from seeother.core.body import is_form
from seeother.core.entry import greet
from seeother.core.flows import submission
from seeother.core.mark import sign
from seeother.core.ops import Claim, Done, Granted, Handle, Lookup, Settle, Unknown
from seeother.core.policy import Policy
from seeother.core.scripted import RENEWED, is_scripted, navigates, replaces_page, shows
from seeother.core.token import FIELD, verify
from seeother.core.values import ACCEPTED, REJECTED, Handled, Outcome, Response
from seeother.errors import BadToken, StaleToken
from seeother.visit import Visit
from tests.core.arrivals import (
    FORM,
    NOW,
    POLICY,
    SAME_ORIGIN,
    VISITOR,
    admitted,
    arrival,
    from_visitor,
    token,
)
from tests.core.conversation import converse

RECEIPT = b"12345678"

FETCHED = {"sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}
TURBO = {**FETCHED, "x-turbo-request-id": "1", "accept": "text/vnd.turbo-stream.html, text/html"}
UNPOLY = {**FETCHED, "x-up-version": "3.14.3", "accept": "*/*"}
HTMX = {**FETCHED, "hx-request": "true", "accept": "*/*"}
BOOSTED = {**HTMX, "hx-boosted": "true"}
# What the clients really send; by script, to another page, replaced as a whole, shown.
CLIENTS = [
    ({}, False, False, False, True),
    ({"sec-fetch-dest": "document"}, False, False, False, True),
    ({"sec-fetch-dest": "iframe"}, False, False, False, True),
    ({"sec-fetch-dest": "image"}, True, False, False, True),
    ({"x-requested-with": "XMLHttpRequest"}, True, False, False, True),
    ({"x-turbo-request-id": "1"}, True, True, False, True),
    (FETCHED, True, False, False, False),
    ({**FETCHED, "accept": "*/*"}, True, False, False, False),
    ({**FETCHED, "accept": "text/html"}, True, False, False, True),
    (TURBO, True, True, False, True),
    ({**TURBO, "turbo-frame": "list"}, True, False, False, True),
    ({**UNPOLY, "x-up-target": "#list"}, True, False, False, True),
    ({**UNPOLY, "x-up-target": "main"}, True, True, False, True),
    (HTMX, True, False, False, True),
    ({**HTMX, "hx-target": "body"}, True, False, False, True),
    (BOOSTED, True, True, True, True),
    ({**BOOSTED, "hx-target": "body"}, True, True, True, True),
    ({**BOOSTED, "hx-target": "list"}, True, False, False, True),
]


@pytest.mark.parametrize(("headers", "scripted", "next_page", "replaced", "shown"), CLIENTS)
def test_clients(
    headers: dict[str, str], scripted: bool, next_page: bool, replaced: bool, shown: bool
) -> None:
    """Each is known by its own headers; a plain fetch() that says nothing is not believed."""
    request = arrival("GET", headers=headers)
    found = is_scripted(request), navigates(request), replaces_page(request), shows(request)
    assert found == (scripted, next_page, replaced, shown)


@pytest.mark.parametrize(
    ("headers", "messages", "orphans"),
    [
        (FETCHED, False, False),
        ({**FETCHED, "accept": "text/html"}, True, False),
        (HTMX, True, False),
        (BOOSTED, True, True),
        (TURBO, True, True),
        ({**TURBO, "sec-fetch-site": "cross-site"}, True, False),
        ({**TURBO, "x-sec-purpose": "prefetch"}, False, False),
        ({**UNPOLY, "x-up-target": "main"}, True, True),
    ],
)
def test_who_takes_messages(headers: dict[str, str], messages: bool, orphans: bool) -> None:
    """Of its own redirect who shows it; what waits elsewhere only the next page."""
    greeting = greet(arrival("GET", headers=headers), POLICY)
    assert (greeting.takes_messages, greeting.takes_orphans) == (messages, orphans)


@pytest.mark.parametrize(
    ("headers", "location", "stays"),
    [
        (FETCHED, "/done", True),
        (FETCHED, None, True),
        (BOOSTED, "/done", False),
        (BOOSTED, None, True),
        ({}, None, False),
    ],
)
def test_a_page_stays(headers: dict[str, str], location: str | None, stays: bool) -> None:
    """Where a script sent the form; but not where it has gone to another page."""
    entry = admitted(arrival(headers=from_visitor(headers)), token=token())
    assert entry.stays(Outcome(ACCEPTED, 303, location)) is stays
    assert entry.stays(Outcome(REJECTED, 303, location)) is stays


# The token in a header ---------------------------------------------------------------------------

POSTED = from_visitor({**FETCHED, "content-type": FORM})


def test_the_token_in_a_header() -> None:
    """It names the submission as the field does, and the field comes first."""
    text, other = token(), token(now=NOW - 60)
    field = admitted(arrival(headers=POSTED), ("a", "1"), token=text)
    header = admitted(arrival(headers={**POSTED, "seeother-token": text}), ("a", "1"))
    both = admitted(arrival(headers={**POSTED, "seeother-token": other}), ("a", "1"), token=text)
    assert field.key == header.key == both.key


def test_no_token_in_the_header_of_what_is_no_form() -> None:
    """Of any other body nothing is read: two of them would look alike."""
    headers = {**POSTED, "content-type": "application/json", "seeother-token": token()}
    assert not admitted(arrival(headers=headers)).named


def test_two_headers_are_no_token() -> None:
    """As two fields."""
    request = arrival(headers=POSTED)
    twice = ((RENEWED, token().encode()),) * 2
    object.__setattr__(request, "headers", (*request.headers, *twice))
    with pytest.raises(BadToken, match="two tokens"):
        admitted(request)


# The token renewed -------------------------------------------------------------------------------

PAGE = Response(200, ((b"content-type", b"text/html"), (b"etag", b'"1"')), b"<p>done")


def visited(headers: dict[str, str], *, url: str = "/form", method: str = "POST") -> Visit:
    """A visit of a form, or of a page."""
    visit = Visit(greet(arrival(method, url, headers), POLICY), POLICY)
    if method == "POST":
        form = is_form(visit.greeting.request)
        visit.submit(f"a=1&{FIELD}={token(unbound=True)}".encode() if form else None)
    return visit


def marked(headers: dict[str, str]) -> Visit:
    """A visit of the page behind a redirect."""
    return visited(headers, url=f"/done?so={sign(POLICY.ring, RECEIPT)}", method="GET")


def test_the_token_is_renewed() -> None:
    """By what answers a script's form: another token of this visitor, for this path; uncached."""
    head = visited(POSTED).renewed(PAGE)
    said = dict(head.headers)
    assert said.keys() == {b"content-type", b"cache-control", b"vary", RENEWED}
    assert said[b"cache-control"] == b"no-store"
    fresh = verify(POLICY.ring, said[RENEWED].decode(), now=NOW, max_age=60, scopes=("/form",))
    assert fresh.belongs_to(VISITOR) and not fresh.unbound
    assert fresh.nonce != b"n" * 16


def test_the_token_is_renewed_behind_a_redirect() -> None:
    """There its answer is what the script sees; the token is followed by the page's mark."""
    text = marked(from_visitor(FETCHED)).renewed(PAGE).header(RENEWED)
    assert text is not None
    fresh, _, shown = text.partition("~")
    assert shown == sign(POLICY.ring, RECEIPT)
    assert verify(POLICY.ring, fresh, now=NOW, max_age=60).belongs_to(VISITOR)


def test_a_stale_token_is_renewed() -> None:
    """A page that stood for days: the answer says so, and the next click goes through."""
    visit = Visit(greet(arrival(headers=POSTED), POLICY), POLICY)
    with pytest.raises(StaleToken) as caught:
        visit.submit(f"a=1&{FIELD}={token(now=NOW - 90_000)}".encode())
    head = visit.renewed(visit.refusal(caught.value))
    assert head.status == 400 and head.header(RENEWED) is not None


STRANGERS = {
    "a plain form": visited(from_visitor({"content-type": FORM})),
    "no cookie": visited({**FETCHED, **SAME_ORIGIN, "content-type": FORM}),
    "no form": visited({**POSTED, "content-type": "application/json"}),
    "a plain landing page": marked(from_visitor()),
    "a page without a mark": visited(from_visitor(FETCHED), method="GET"),
    "another site": marked(from_visitor({**FETCHED, "sec-fetch-site": "cross-site"})),
    "a sibling": marked(from_visitor({**FETCHED, "sec-fetch-site": "same-site"})),
}


@pytest.mark.parametrize("visit", STRANGERS.values(), ids=STRANGERS.keys())
def test_nobody_else_gets_one(visit: Visit) -> None:
    """Only a script of this very origin, after a form, for a visitor who is known."""
    assert visit.renewed(PAGE) is PAGE


def test_a_trusted_site_gets_none() -> None:
    """It may post here; it may not read."""
    policy = Policy(
        secret="0123456789abcdef0123456789abcdef", trusted_origins=("https://o.example",)
    )
    headers = {**POSTED, "sec-fetch-site": "cross-site", "origin": "https://o.example"}
    visit = Visit(greet(arrival(headers=headers), policy), policy)
    visit.submit(b"a=1")
    assert visit.renewed(PAGE) is PAGE


@pytest.mark.parametrize("status", [101, 303, 304])
def test_what_a_script_cannot_read_holds_none(status: int) -> None:
    """Redirects are followed before a script sees anything."""
    head = Response(status)
    assert visited(POSTED).renewed(head) is head


# Rejected in place -------------------------------------------------------------------------------


def test_rejected_in_place() -> None:
    """The draft is there at once, without secrets and tokens, and the page goes out as 422."""
    visit = visited(POSTED)
    body = f"a=1&password=x&{FIELD}={token()}".encode()
    visit.submit(body)
    draft = visit.reject({"a": "Too small."})
    assert visit.draft == draft
    assert (draft.values, draft.error("a")) == ((("a", "1"),), "Too small.")
    assert visit.handled(PAGE).response.status == 422
    assert visit.handled(Response(409)).response.status == 409
    visit.forget()
    assert visit.handled(PAGE).response.status == 200


def test_the_redirect_of_a_page_that_stays_is_marked() -> None:
    """Also where nothing goes with it: behind the mark the token is renewed."""
    entry = admitted(arrival(headers=POSTED), token=token())
    done = Handled(Response(303, ((b"location", b"/done"),)))
    turns = [(Lookup, Unknown()), (Claim, Granted(1, entry.claim_id)), (Handle, done)]
    answer = converse(submission(entry, POLICY), *turns, (Settle, Done()))
    assert (answer.response.header(b"location") or "").startswith("/done?so=")
