"""What an answer means and what is kept of it: verdicts, redirects, marks, drafts, headers."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.cookie import SetCookie
from seeother.core.entry import greet
from seeother.core.fingerprint import echo_digest, visitor_id
from seeother.core.headers import personal, redirect
from seeother.core.mark import open_mark, sign
from seeother.core.ops import Close, Taken
from seeother.core.policy import Policy
from seeother.core.record import (
    HINT_SECONDS,
    PageRecord,
    Record,
    Verdict,
    judge_answer,
    pack_draft,
    record,
    record_page,
    unpack_draft,
)
from seeother.core.seal import can_seal, unseal
from seeother.core.token import FIELD
from seeother.core.values import (
    ACCEPTED,
    REJECTED,
    Changes,
    Draft,
    Flash,
    Handled,
    Headers,
    Receipt,
    Request,
    Response,
    SessionWrite,
)
from seeother.errors import UnsafeTarget
from tests.core.arrivals import (
    HOST,
    POLICY,
    SAME_ORIGIN,
    SECRET,
    VISITOR,
    admitted,
    arrival,
    from_visitor,
    token,
    visitor_cookie,
)

POSTED = Flash("Your message was posted.", "success")
TYPED = Draft(
    (("message", "hello"), ("so_token", "t"), ("password", "p")), (("message", "Short."),)
)
MARK = b"12345678"
TAKEN = (Taken(MARK, (Flash("old"),)),)
LATER = SessionWrite(b"sid", Changes((("a", b"1"),)))
NEW_COOKIE = SetCookie("so-s-new", "1", secure=False)


def to(location: str | bytes, status: int = 302, *more: tuple[bytes, bytes]) -> Response:
    """A redirect of the app."""
    raw = location if isinstance(location, bytes) else location.encode("latin-1")
    return Response(status, ((b"location", raw), *more), b"moved")


def page(status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    """A page of the app."""
    return Response(status, ((b"content-type", b"text/html"), *headers), b"<p>hello")


def submitted(
    handled: Handled, request: Request | None = None, policy: Policy = POLICY
) -> tuple[Record, Verdict]:
    """What is recorded of a submission."""
    entry = admitted(request or arrival(headers=from_visitor()), ("message", "hi"), token=token())
    verdict = judge_answer(handled)
    return record(entry, handled, verdict, policy), verdict


def landed(handled: Handled, request: Request | None = None, policy: Policy = POLICY) -> str:
    """The Location of a submission's answer."""
    return submitted(handled, request, policy)[0].response.header(b"location") or ""


def visited(
    handled: Handled,
    url: str = "/page",
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    taken: tuple[Taken, ...] = (),
    policy: Policy = POLICY,
) -> PageRecord:
    """What is recorded of a request that claims nothing."""
    jar = from_visitor(headers)
    return record_page(greet(arrival(method, url, jar), policy), handled, taken, policy)


def marked(url: str = "/page") -> str:
    """A URL under the mark of a receipt."""
    return f"{url}{'&' if '?' in url else '?'}so={sign(POLICY.ring, MARK)}"


def mark_of(location: str | None) -> bytes | None:
    """The receipt that a Location names."""
    _, _, text = (location or "").partition("so=")
    return open_mark(POLICY.ring, text[:22])


# --- verdicts -------------------------------------------------------------------------------------

STATUSES = {
    Verdict.ACCEPT: (200, 201, 204, 205, 206, 299, 300, 301, 302, 303, 304, 307, 308),
    Verdict.REJECT: (400, 402, 403, 404, 405, 409, 410, 411, 413, 415, 418, 422, 428, 431, 451),
    Verdict.RELEASE: (401, 408, 425, 429, 503),
    Verdict.UNDO: (500, 501, 502, 504, 507, 599),
}


@pytest.mark.parametrize(
    ("verdict", "status"), [(v, s) for v, statuses in STATUSES.items() for s in statuses]
)
def test_verdicts(verdict: Verdict, status: int) -> None:
    """Each status has the verdict of the table; a draft makes a rejection of any of them."""
    assert judge_answer(Handled(Response(status))) is verdict
    assert judge_answer(Handled(Response(status), draft=TYPED)) is Verdict.REJECT


@pytest.mark.parametrize(
    ("handled", "kind", "keep"),
    [
        (Handled(to("/done")), ACCEPTED, True),
        (Handled(page(200)), ACCEPTED, True),
        (Handled(page(204)), ACCEPTED, True),
        (Handled(to("/form"), draft=TYPED), REJECTED, True),
        (Handled(page(422), draft=TYPED), REJECTED, False),
        (Handled(page(404)), REJECTED, False),
        (Handled(page(401)), REJECTED, False),
        (Handled(page(503)), REJECTED, False),
    ],
)
def test_kept_and_unkept(handled: Handled, kind: str, keep: bool) -> None:
    """A row stays where a duplicate can be given the same answer: accepted, or a redirect."""
    kept, _ = submitted(handled)
    assert (kept.outcome.kind, kept.keep) == (kind, keep)
    assert kept.outcome.status == kept.response.status


# --- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "repeat", "sent"),
    [
        (301, True, 303),
        (302, True, 303),
        (303, True, 303),
        (307, True, 307),
        (307, False, 303),
        (308, True, 308),
        (308, False, 308),
    ],
)
def test_status(status: int, repeat: bool, sent: int) -> None:
    """After a form every redirect is 303, but a 307 or 308 that was meant stays, body and all."""
    kept, _ = submitted(Handled(to("/done", status), repeat=repeat))
    assert (kept.response.status, kept.outcome.status) == (sent, sent)
    elsewhere = visited(Handled(to("/done", status), repeat=repeat), method="POST")
    assert elsewhere.response.status == sent


def test_redirect_status() -> None:
    """The policy may ask for 302, for clients that know no 303."""
    policy = Policy(secret=SECRET, redirect_status=302)
    assert submitted(Handled(to("/done", 301)), policy=policy)[0].response.status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_get_keeps_its_status(status: int) -> None:
    """A GET may be redirected in any way, also where a mark goes with it."""
    assert visited(Handled(to("/b", status), flashes=(POSTED,))).response.status == status
    assert visited(Handled(to("/b", status)), marked()).response.status == status


@pytest.mark.parametrize("status", [200, 300, 304, 422])
def test_a_location_alone_is_no_redirect(status: int) -> None:
    """A Location with another status names something else and is left alone."""
    answer = to("/made", status)
    kept, _ = submitted(Handled(answer))
    assert kept.response == answer
    assert kept.outcome.location is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_status_alone_is_no_redirect(status: int) -> None:
    """Without a Location nobody is sent anywhere: it is a page."""
    kept, _ = submitted(Handled(page(status), (POSTED,)))
    assert (kept.response.status, kept.response.body) == (status, page().body)
    assert kept.outcome.location is None
    assert visited(Handled(page(status))).response == page(status)


def test_a_redirect_has_no_body_and_is_not_stored() -> None:
    """Empty, `no-store`, and without any header that described the app's body."""
    headers = (
        (b"content-type", b"text/html"),
        (b"content-length", b"5"),
        (b"content-encoding", b"gzip"),
        (b"content-language", b"en"),
        (b"content-location", b"/made"),
        (b"content-range", b"bytes 0-4/5"),
        (b"content-disposition", b"attachment"),
        (b"transfer-encoding", b"chunked"),
        (b"trailer", b"digest"),
        (b"cache-control", b"public, max-age=600"),
        (b"etag", b'"1"'),
        (b"expires", b"Thu, 01 Jan 2037 00:00:00 GMT"),
        (b"x-app", b"kept"),
        (b"set-cookie", b"a=1"),
    )
    kept, _ = submitted(Handled(to("/done", 302, *headers)))
    assert kept.response.body == b""
    assert kept.response.headers == (
        (b"x-app", b"kept"),
        (b"set-cookie", b"a=1"),
        (b"location", b"/done"),
        (b"cache-control", b"no-store"),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"0"),
    )


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"/caf\xc3\xa9", "/caf%C3%A9"),
        (b"/caf\xe9", "/caf%C3%A9"),
        (b"/a b", "/a b"),
        (b"https://pay.example/x?y=1", "https://pay.example/x?y=1"),
        (b"edit", "edit"),
        (b"", ""),
    ],
)
def test_locations_of_all_kinds(raw: bytes, sent: str) -> None:
    """A Location leaves as ASCII and otherwise as the app wrote it."""
    assert landed(Handled(to(raw))) == sent


@pytest.mark.parametrize("raw", [b"/a\r\nset-cookie: a=1", b"/a\0", b"/\t/evil.example"])
def test_no_location_ends_its_header(raw: bytes) -> None:
    """A Location with a control character is refused, never sent."""
    with pytest.raises(UnsafeTarget):
        submitted(Handled(to(raw), flashes=(POSTED,)))


# --- the mark -------------------------------------------------------------------------------------

OWN = ["/done", "/done?a=1", "/done#end", "?a=1", f"http://{HOST}/done", f"http://{HOST}:80/done"]
FOREIGN = [
    "https://pay.example/",
    f"https://{HOST}/done",
    f"http://{HOST}:8000/done",
    "//evil.example/done",
    "/\\evil.example",
    "/%2fevil.example",
    "edit",
    "../done",
]


@pytest.mark.parametrize("location", OWN)
@pytest.mark.parametrize("handled", ["message", "draft", "both"])
def test_a_mark_for_what_is_carried(location: str, handled: str) -> None:
    """A receipt that carries something is named by the Location, in the query."""
    flashes = (POSTED,) if handled != "draft" else ()
    draft = TYPED if handled != "message" else None
    kept, _ = submitted(Handled(to(location), flashes, draft))
    assert kept.receipt is not None and kept.receipt.carries
    assert mark_of(kept.outcome.location) == kept.receipt.id == kept.outcome.receipt
    assert kept.outcome.location == kept.response.header(b"location")
    assert (kept.outcome.location or "").endswith("#end") is location.endswith("#end")
    assert (kept.receipt.visitor, kept.receipt.messages) == (visitor_id(VISITOR), flashes)


@pytest.mark.parametrize("location", OWN)
def test_no_mark_for_nothing(location: str) -> None:
    """A receipt that carries nothing is not written, and the Location stays as it is."""
    kept, _ = submitted(Handled(to(location)))
    assert (kept.receipt, kept.outcome.receipt, kept.cookies) == (None, None, ())
    assert kept.outcome.location == location


@pytest.mark.parametrize(
    ("url", "location", "own"),
    [
        ("/form", "/form", True),
        ("/form", "/form#end", True),
        ("/form?so", "/form", True),
        ("/form", "/form?so", True),
        ("/form", f"http://{HOST}/form", True),
        ("/form?a=1", "/form?a=1", True),
        ("/form?a=1", "#end", True),
        (marked("/form"), "/form", True),
        ("/form", marked("/form"), True),
        ("/form", "/form?a=1", False),
        ("/form?a=1", "/form", False),
        ("/form", "/form/", False),
    ],
)
def test_a_mark_for_the_own_url(url: str, location: str, own: bool) -> None:
    """Landing on the URL it posted to, marks aside, gets a mark even if nothing is carried."""
    kept, _ = submitted(Handled(to(location)), arrival(url=url, headers=from_visitor()))
    assert (kept.receipt is not None) is own
    assert (mark_of(kept.outcome.location) is not None) is own
    assert kept.receipt is None or not kept.receipt.carries


@pytest.mark.parametrize("location", OWN)
def test_nobody_without_a_cookie_gets_a_mark(location: str) -> None:
    """Without a visitor cookie there is no receipt and no mark; `curl` gets what the app said."""
    for headers in (SAME_ORIGIN, {}):
        request = arrival(url="/done", headers=headers)
        entry = admitted(request, token=token(unbound=True))
        handled = Handled(to(location), (POSTED,), TYPED)
        kept = record(entry, handled, Verdict.ACCEPT, POLICY)
        assert (kept.receipt, kept.outcome.location, kept.cookies) == (None, location, ())
    got = record_page(
        greet(arrival("GET", marked()), POLICY), Handled(to(location), (POSTED,)), (), POLICY
    )
    assert (got.response.header(b"location"), got.close) == (location, None)


@pytest.mark.parametrize("location", FOREIGN)
def test_no_mark_leaves_the_site(location: str) -> None:
    """A target that may be somewhere else is never marked; its message waits for the next page."""
    kept, _ = submitted(Handled(to(location), (POSTED,), TYPED))
    assert kept.outcome.location == location
    assert kept.receipt is not None and kept.receipt.messages == (POSTED,)
    assert [cookie.value for cookie in kept.cookies] == ["1"]
    only_draft, _ = submitted(Handled(to(location), draft=TYPED))
    assert (only_draft.receipt, only_draft.cookies) == (None, ())
    got = visited(Handled(to(location)), marked())
    assert got.response.header(b"location") == location


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("/shop", True),
        ("/shop/", True),
        ("/shop/list", True),
        ("/shop?a=1", True),
        ("?a=1", True),
        (f"http://{HOST}/shop/list", True),
        ("/", False),
        ("/shopping", False),
        ("/blog/", False),
        (f"http://{HOST}/blog", False),
    ],
)
def test_no_mark_leaves_the_mount(location: str, ours: bool) -> None:
    """An app that is mounted below others marks its own part of the site only."""
    request = arrival(headers=from_visitor(), root="/shop")
    assert (mark_of(landed(Handled(to(location), (POSTED,)), request)) is not None) is ours


def test_the_spelling_of_the_host_does_not_matter() -> None:
    """An absolute target on this very host is marked, however the request spelled it."""
    request = arrival(headers=from_visitor(), host="App.Example:80")
    assert mark_of(landed(Handled(to("http://app.example/done"), (POSTED,)), request))


def test_an_existing_mark_is_replaced() -> None:
    """A Location never carries two marks, and the new receipt is the one that counts."""
    kept, _ = submitted(Handled(to(marked("/done?a=1") + "#end"), (POSTED,)))
    assert kept.receipt is not None and kept.outcome.location is not None
    assert kept.outcome.location.count("so=") == 1
    assert mark_of(kept.outcome.location) == kept.receipt.id != MARK


def test_an_old_mark_is_dropped() -> None:
    """A Location with the mark of another page loses it where nothing new is to be named."""
    assert landed(Handled(to(marked("/done")))) == "/done"


def test_without_marks() -> None:
    """With `mark=None` nothing is ever added, cut or replaced; messages go by the hint."""
    policy = Policy(secret=SECRET, mark=None)
    kept, _ = submitted(Handled(to("/form?so"), (POSTED,), TYPED), policy=policy)
    assert kept.outcome.location == "/form?so"
    assert kept.receipt is not None
    assert [cookie.name for cookie in kept.cookies] == [greet(arrival("GET"), policy).names.hint]


# --- receipts, hints, drafts ----------------------------------------------------------------------


def test_a_receipt_names_its_submission() -> None:
    """It holds the ledger's key and, for the other half of a double click, the echo."""
    entry = admitted(arrival(headers=from_visitor()), ("message", "hi"), token=token())
    kept = record(entry, Handled(to("/done"), (POSTED,)), Verdict.ACCEPT, POLICY)
    assert kept.receipt is not None
    assert kept.receipt.key == entry.key
    assert kept.receipt.echo == echo_digest(POLICY.ring, VISITOR, entry.canonical)
    off = record(
        entry, Handled(to("/done"), (POSTED,)), Verdict.ACCEPT, Policy(secret=SECRET, echo=0)
    )
    assert off.receipt is not None and off.receipt.echo == b""


def test_receipts_are_not_guessable() -> None:
    """Each receipt has an id of its own."""
    request = arrival(headers=from_visitor())
    ids = {landed(Handled(to("/done"), (POSTED,)), request) for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_hint(scheme: str) -> None:
    """A message is announced for five minutes by a cookie; a draft alone is not."""
    jar = {**SAME_ORIGIN, "cookie": visitor_cookie(secure=scheme == "https")}
    request = arrival(headers=jar, scheme=scheme)
    kept, _ = submitted(Handled(to("/done"), (POSTED,), cookies=(NEW_COOKIE,)), request)
    first, hint = kept.cookies
    assert first == NEW_COOKIE
    assert (hint.value, hint.max_age, hint.secure) == ("1", HINT_SECONDS, scheme == "https")
    assert hint.name.startswith("__Host-") is (scheme == "https")
    assert submitted(Handled(to("/form"), draft=TYPED), request)[0].cookies == ()


def test_a_page_keeps_its_message_for_the_next_one() -> None:
    """A message that was left by a page and not shown there waits, without a mark."""
    kept, _ = submitted(Handled(page(200), (POSTED,), TYPED))
    assert kept.receipt is not None
    assert (kept.receipt.messages, kept.receipt.draft) == ((POSTED,), b"")
    assert len(kept.cookies) == 1
    assert submitted(Handled(page(200)))[0].receipt is None


def draft_in(receipt: Receipt | None) -> bytes | None:
    """The plain bytes of a receipt's draft, for its visitor."""
    assert receipt is not None
    return unseal(POLICY.ring, receipt.draft, purpose="draft", row=receipt.id, visitor=VISITOR)


def test_a_draft_is_sealed() -> None:
    """What was typed stands nowhere in the receipt, and only its visitor can open it there."""
    kept, _ = submitted(Handled(to("/form"), draft=TYPED))
    assert kept.receipt is not None
    assert b"hello" not in kept.receipt.draft
    assert unpack_draft(draft_in(kept.receipt) or b"") == Draft(
        (("message", "hello"),), TYPED.errors
    )
    sealed = kept.receipt.draft
    for row, visitor in ((b"87654321", VISITOR), (kept.receipt.id, b"w" * 16)):
        assert unseal(POLICY.ring, sealed, purpose="draft", row=row, visitor=visitor) is None


@pytest.mark.parametrize(
    "name", ["password", "new_password", "cardPin", FIELD, "csrf_token", "csrfmiddlewaretoken"]
)
def test_secrets_are_in_no_draft(name: str) -> None:
    """Password-like fields and tokens are not even sealed."""
    draft = Draft(
        ((name, "hunter2"), ("message", "hi"), (name, "hunter3")), ((name, "Too short."),)
    )
    packed = pack_draft(draft, POLICY)
    assert b"hunter" not in packed
    assert unpack_draft(packed) == Draft((("message", "hi"),), ((name, "Too short."),))


texts = st.text(st.characters(codec="utf-8"), max_size=5)


@given(st.lists(st.tuples(texts, texts)), st.lists(st.tuples(texts, texts)))
def test_draft_round_trip(values: list[tuple[str, str]], errors: list[tuple[str, str]]) -> None:
    """A draft comes back in order, with duplicates, and as it was typed."""
    open_policy = Policy(secret=SECRET, secret_fields=())
    draft = Draft(tuple(values), tuple(errors))
    assert unpack_draft(pack_draft(draft, open_policy)) == draft
    json.loads(pack_draft(draft, open_policy))


@pytest.fixture
def without_cryptography(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if `cryptography` were not installed."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    can_seal.cache_clear()
    yield
    can_seal.cache_clear()


@pytest.mark.usefixtures("without_cryptography")
def test_never_plain() -> None:
    """Where nothing can be sealed no draft is kept, and nothing fails."""
    kept, _ = submitted(Handled(to("/form"), (POSTED,), TYPED))
    assert kept.receipt is not None and kept.receipt.draft == b""
    assert submitted(Handled(page(422), draft=TYPED))[0].receipt is None


# --- pages ----------------------------------------------------------------------------------------


def test_a_page_without_anything_is_not_touched() -> None:
    """Nothing fetched, nothing left: the app's own answer, and nothing to write."""
    for answer in (page(200, (b"etag", b'"1"')), to("/b"), to("/caf\xe9"), page(500)):
        assert visited(Handled(answer)) == PageRecord(answer, None, ())


def test_shown_messages_are_acknowledged() -> None:
    """Reading the messages is what consumes them; without reading they are given back."""
    shown = visited(Handled(page(), shown=True), marked(), taken=TAKEN)
    assert shown.close == Close(shown=(MARK,))
    unread = visited(Handled(page()), marked(), taken=TAKEN)
    assert unread.close == Close(unshown=(MARK,))


def test_the_session_is_written() -> None:
    """Changes of the session are one step with everything else that is written."""
    kept = visited(Handled(page(), (POSTED,), session=LATER, shown=True), marked(), taken=TAKEN)
    assert kept.close is not None and kept.close.receipt is not None
    assert (kept.close.session, kept.close.shown) == (LATER, (MARK,))
    assert kept.close.receipt.messages == (POSTED,)
    assert visited(Handled(to("/b"), session=LATER)).close == Close(LATER)


def hints(kept: PageRecord) -> list[tuple[str, int | None]]:
    """The hint cookies that a page sets."""
    return [(cookie.value, cookie.max_age) for cookie in kept.cookies]


def test_the_hint_goes_with_its_message() -> None:
    """The page that shows the announced message deletes the hint; one that found none leaves it."""
    names = greet(arrival("GET"), POLICY).names
    hinted = {"cookie": f"{visitor_cookie()}; {names.hint}=1"}
    assert hints(visited(Handled(page(), shown=True), headers=hinted, taken=TAKEN)) == [("", 0)]
    assert hints(visited(Handled(page()), headers=hinted, taken=TAKEN)) == []
    assert hints(visited(Handled(page(), shown=True), headers=hinted)) == []
    assert hints(visited(Handled(to("/b"), shown=True), headers=hinted, taken=TAKEN)) == []
    assert hints(visited(Handled(page(), shown=True), taken=TAKEN)) == []
    again = visited(Handled(page(), (POSTED,), shown=True), headers=hinted, taken=TAKEN)
    assert hints(again) == [("1", HINT_SECONDS)]


@pytest.mark.parametrize("location", ["/next", "?step=2", f"http://{HOST}/next"])
def test_a_redirected_get_hands_on(location: str) -> None:
    """A GET that is redirected and leaves nothing gives back what it took, and its mark goes on."""
    kept = visited(Handled(to(location, 301)), marked(), taken=TAKEN)
    assert mark_of(kept.response.header(b"location")) == MARK
    assert kept.response.header(b"cache-control") == "no-store"
    assert kept.close == Close(unshown=(MARK,))
    silent = visited(Handled(to(location)), marked())
    assert mark_of(silent.response.header(b"location")) == MARK
    assert silent.close is None


def test_a_redirected_get_with_a_message_of_its_own() -> None:
    """Old and new messages move into one receipt, which the Location names."""
    kept = visited(Handled(to("/next"), (POSTED,)), marked(), taken=TAKEN)
    assert kept.close is not None and kept.close.receipt is not None
    assert kept.close.shown == (MARK,)
    assert kept.close.receipt.messages == (Flash("old"), POSTED)
    assert mark_of(kept.response.header(b"location")) == kept.close.receipt.id
    assert hints(kept) == [("1", HINT_SECONDS)]


def test_a_redirected_get_with_a_draft() -> None:
    """A draft that a GET leaves waits behind its own mark, with nothing announced."""
    kept = visited(Handled(to("/form"), draft=TYPED))
    assert kept.close is not None
    assert draft_in(kept.close.receipt)
    assert hints(kept) == []


def test_an_unclaimed_form_is_answered_alike() -> None:
    """A form that nobody claims gets 303, its message and its draft all the same."""
    kept = visited(Handled(to("/form"), (POSTED,), TYPED), method="POST")
    assert kept.response.status == 303
    assert kept.close is not None and kept.close.receipt is not None
    assert draft_in(kept.close.receipt)
    assert (kept.close.receipt.key, kept.close.receipt.echo) == (None, b"")


def test_what_was_settled_is_not_written_again() -> None:
    """An answer that was recorded already leaves as it is, with its cookies."""
    answer = Response(303, redirect(303, "/done"))
    done = Handled(answer, (POSTED,), TYPED, LATER, cookies=(NEW_COOKIE,), final=True)
    assert visited(done, method="POST") == PageRecord(answer, None, (NEW_COOKIE,))
    assert visited(done, marked(), taken=TAKEN).close == Close(unshown=(MARK,))


# --- headers --------------------------------------------------------------------------------------

SHARED: Headers = (
    (b"cache-control", b"public, max-age=60, s-maxage=600"),
    (b"expires", b"Thu, 01 Jan 2037 00:00:00 GMT"),
    (b"surrogate-control", b"max-age=600"),
    (b"cdn-cache-control", b"max-age=600"),
    (b"vercel-cdn-cache-control", b"max-age=600"),
    (b"digest", b"x"),
    (b"content-digest", b"x"),
    (b"repr-digest", b"x"),
    (b"content-md5", b"x"),
    (b"accept-ranges", b"bytes"),
    (b"etag", b'"1"'),
    (b"last-modified", b"Thu, 01 Jan 1970 00:00:00 GMT"),
    (b"x-app", b"kept"),
)


@pytest.mark.parametrize("way", ["page", "submission", "settled"])
@pytest.mark.parametrize(("rendered", "shown"), [*product((False, True), repeat=2)])
@pytest.mark.parametrize("cookie", [False, True])
def test_personal_pages_are_kept_from_caches(
    way: str, rendered: bool, shown: bool, cookie: bool
) -> None:
    """A page with a token, a message or a new cookie is private, however it came about."""
    cookies = (NEW_COOKIE,) if cookie else ()
    handled = Handled(
        page(200, *SHARED), rendered=rendered, shown=shown, cookies=cookies, final=way == "settled"
    )
    answer = submitted(handled)[0] if way == "submission" else visited(handled)
    if not (rendered or shown or cookie):
        assert answer.response == handled.response
        return
    control = b"no-store" if shown and not rendered else b"private, no-cache"
    assert answer.response.headers == (
        (b"content-type", b"text/html"),
        (b"x-app", b"kept"),
        (b"cache-control", control),
        (b"vary", b"Cookie"),
    )
    assert answer.response.body == handled.response.body


def test_a_new_cookie_makes_a_redirect_private() -> None:
    """A redirect that sets a cookie of ours is not stored, although nothing else goes with it."""
    kept = visited(Handled(to("/b", 301, *SHARED), cookies=(NEW_COOKIE,)))
    assert kept.response.header(b"cache-control") == "no-store"
    assert kept.response.header(b"location") == "/b"


@pytest.mark.parametrize("named", [True, False], ids=["a token", "none"])
@pytest.mark.parametrize("flashes", [(), (Flash("Saved."),)], ids=["nothing", "a message"])
def test_a_mark_for_nothing(named: bool, flashes: tuple[Flash, ...]) -> None:
    """A form without a token that lands on its own address is not marked, unless it left a message.

    Back has no token of ours to show there, and no row is kept that an echo could lead to.
    """
    request = arrival(headers=from_visitor())
    entry = admitted(request, ("message", "hi"), token=token() if named else None)
    kept = record(entry, Handled(to(request.path), flashes=flashes), Verdict.ACCEPT, POLICY)
    marked = named or bool(flashes)
    assert ("so=" in (kept.response.header(b"location") or "")) is marked
    assert (kept.receipt is not None) is marked
    assert entry.named is named


@pytest.mark.parametrize(
    ("given", "form", "sent"),
    [
        ((), True, b"private, no-cache"),
        ((), False, b"no-store"),
        ((b"no-store",), True, b"no-store"),
        ((b"max-age=0, No-Store",), True, b"no-store, max-age=0"),
        ((b"max-age=0", b"no-store"), True, b"no-store, max-age=0"),
        ((b"max-age=60, public, s-maxage=9",), True, b"private, no-cache"),
        (
            (b"max-age=0, no-cache, MUST-revalidate",),
            True,
            b"private, no-cache, max-age=0, must-revalidate",
        ),
        ((b"no-cache, no-store",), False, b"no-store, no-cache"),
        ((b"x-no-store=1",), True, b"private, no-cache"),
        ((b"no-transform",), True, b"private, no-cache, no-transform"),
        ((b"no-transform, no-store",), False, b"no-store, no-transform"),
    ],
)
def test_cache_control(given: tuple[bytes, ...], form: bool, sent: bytes) -> None:
    """Never weaker than the app asked for: its `no-store` and whatever is as strict stay."""
    headers = personal(tuple((b"cache-control", line) for line in given), form=form)
    assert headers[-2] == (b"cache-control", sent)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ((), b"Cookie"),
        ((b"accept",), b"accept, Cookie"),
        ((b"accept, Accept-Language", b"origin"), b"accept, Accept-Language, origin, Cookie"),
        ((b"cookie",), b"cookie"),
        ((b"Accept,COOKIE",), b"Accept, COOKIE"),
        ((b"*",), b"*"),
        ((b"", b","), b"Cookie"),
    ],
)
def test_vary(given: tuple[bytes, ...], sent: bytes) -> None:
    """`Vary` names the cookie once, beside what the app named."""
    headers = personal(tuple((b"vary", line) for line in given), form=True)
    assert headers[-1] == (b"vary", sent)
    assert [name for name, _ in headers].count(b"vary") == 1


@pytest.mark.parametrize(
    ("given", "sent"),
    [(b"", b""), (b"Cookie", b""), (b"accept, cookie", b"accept"), (b"*", b"*")],
)
def test_a_page_for_nobody_does_not_vary_by_cookie(given: bytes, sent: bytes) -> None:
    """What was asked for without one is the same page when Back asks with the one it brought."""
    headers = personal(((b"vary", given),), form=True, nobody=True)
    assert headers[-1] == ((b"vary", sent) if sent else (b"cache-control", b"private, no-cache"))
    assert personal(((b"vary", given),), form=False, nobody=True)[-1][0] == b"vary"


@pytest.mark.parametrize("explicit", [False, True], ids=["zero-code", "explicit"])
@pytest.mark.parametrize(
    ("cookie", "signs_in"),
    [(b"", False), (b"csrf=1; Path=/", False), (b"session=1; HttpOnly", True)],
)
def test_a_page_that_signs_in_varies_by_cookie(
    cookie: bytes, signs_in: bool, explicit: bool
) -> None:
    """A GET without a cookie may sign in: who comes back to its page later is asked for cookies.

    Around an app that knows of us, what varies by cookies is the app's business.
    """
    answer = page(200, (b"vary", b"Cookie"), *(((b"set-cookie", cookie),) if cookie else ()))
    policy = replace(POLICY, convert=not explicit)
    request = arrival("GET", "/page", {"Sec-Fetch-Site": "none"})
    kept = record_page(greet(request, policy), Handled(answer, rendered=True), (), policy)
    assert (kept.response.header(b"vary") is not None) is (signs_in or explicit)
    begun = Handled(answer, rendered=True, session=LATER)
    kept = record_page(greet(request, policy), begun, (), policy)
    assert kept.response.header(b"vary") == "Cookie", "a session begins here"


@pytest.mark.parametrize("form", [False, True])
def test_twice_is_once(form: bool) -> None:
    """A page that passes two times says the same thing."""
    once = personal(SHARED, form=form)
    assert personal(once, form=form) == once
