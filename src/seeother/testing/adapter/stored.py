"""The promises about stored pages: an unmodified app answers a form with a page (zero-code)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from ...core.mark import sign
from ...core.policy import Policy
from ...core.values import Headers, Response
from .browser import Browser, token, tokens
from .harness import FORM, Harness, answering
from .stage import HTML, SECRET, Answer, Ask, Behaviour, Call, Streamed, fetch, page

THANKS = page("<p>Thank you, Ann")
SAFETY: Headers = (
    (b"content-security-policy", b"default-src 'self'"),
    (b"x-frame-options", b"DENY"),
    (b"strict-transport-security", b"max-age=60"),
    (b"x-own", b"kept"),
)
LARGE = b"<p>paragraph\n" * 100_000
BINARY = b"a,b\n1,2\n"
PASSING: dict[str, Response] = {
    "download": page("a", headers=((b"content-disposition", b"attachment"),)),
    "csv": Response(200, ((b"content-type", b"text/csv"),), BINARY),
    "json": Response(201, ((b"content-type", b"application/json"),), b'{"id": 1}'),
    "encoded in an unknown way": Response(
        200, ((b"content-type", b"text/html"), (b"content-encoding", b"x-own")), BINARY
    ),
    "nothing": Response(204),
    "who are you": page("a", status=401, headers=((b"www-authenticate", b"Basic"),)),
    "too often": page("a", status=429),
    "broken": page("a", status=500),
    "not now": page("a", status=503),
}


def mark_of(receipt: bytes) -> str:
    """A mark of this site that stands for nothing."""
    policy = Policy.of({"secret": SECRET, "namespace": "contract"})
    return f"/?so={sign(policy.ring, receipt)}"


class StoredPromises(Harness):
    """What an adapter promises that keeps the pages which answer a submission."""

    def sent(
        self, answer: Response | Streamed | Behaviour, path: str = "/", **policy: object
    ) -> tuple[Browser, Answer]:
        """A browser that sent a form, and the answer to it; the form stands at `/`."""
        browser = self.visit(answering(answer), **policy)
        fields = {"message": "a", "so_token": token(browser.get())}
        return browser, browser.post(fields, path)

    # What becomes of a page ----------------------------------------------------------------------

    def test_a_page_stands_behind_a_redirect(self) -> None:
        """303 without a body; behind it the page, also after reloads, and the view ran once."""
        browser, answer = self.sent(THANKS)
        assert (answer.status, answer.body, answer.location[:5]) == (303, b"", "/?so=")
        assert answer.header("cache-control") == "no-store"
        for _ in range(3):
            shown = browser.follow(answer)
            assert (shown.status, shown.body) == (200, THANKS.body)
        assert self.effects.all() == ["done"]

    def test_it_outlives_its_process(self) -> None:
        """Another worker on the same store shows it, and so does one that starts after the end."""
        browser, answer = self.sent(THANKS)
        worker = self.serve(answering(THANKS))
        browser.client.close()
        self._clients.remove(browser.client)
        for client in (worker, self.serve(answering(THANKS))):
            browser.client = client
            assert browser.follow(answer).body == THANKS.body

    def test_it_keeps_its_headers(self) -> None:
        """Status, type, charset and what the app says for safety; no cache, no search engine."""
        kind = (b"content-type", b"text/html; charset=iso-8859-1")
        said = Response(422, (kind, *SAFETY), "<p>gr\u00fcn".encode("latin-1"))
        browser, answer = self.sent(said)
        shown = browser.follow(answer)
        assert (shown.status, shown.body) == (422, said.body)
        assert shown.header("content-type") == kind[1].decode()
        assert all(shown.header(name.decode()) == value.decode() for name, value in SAFETY)
        assert shown.header("cache-control") == "private, no-store"
        assert shown.header("referrer-policy") == "same-origin"
        assert shown.header("x-robots-tag") == "noindex"

    def test_its_tokens_are_of_the_moment(self) -> None:
        """A form in it has a new token each time; the corrected form runs, once."""

        def strict(call: Call) -> Response:
            if call.method == "POST" and b"message=good" in call.body:
                call.effect("good")
                return THANKS
            return page(FORM, status=422 if call.method == "POST" else 200)

        browser = self.visit(strict)
        rejected = browser.submit({"message": "bad"})
        shown = [browser.follow(rejected) for _ in range(2)]
        assert [one.status for one in shown] == [422, 422]
        assert token(shown[0]) != token(shown[1])
        assert shown[0].header("content-length") == str(len(shown[0].body))
        fields = {"message": "good", "so_token": token(shown[1])}
        assert browser.post(fields).location == browser.post(fields).location
        assert self.effects.all() == ["good"]

    def test_head_of_it(self) -> None:
        """The status and type of the page, no body, no token, no cookie, no false length."""
        browser, answer = self.sent(page(FORM, status=404))
        head = browser.get(answer.location, method="HEAD")
        assert (head.status, head.body) == (404, b"")
        assert head.header("content-type") == "text/html; charset=utf-8"
        assert (head.all("set-cookie"), head.header("content-length")) == ([], None)

    def test_a_form_without_a_token_too(self) -> None:
        """A form that a script has made: it runs each time, and its page can be reloaded."""
        browser = self.visit(answering(THANKS))
        browser.get()
        for _ in range(2):
            answer = browser.post({"message": "a"})
            assert (answer.status, browser.follow(answer).body) == (303, THANKS.body)
        assert self.effects.all() == ["done", "done"]

    def test_a_compressed_page_too(self) -> None:
        """It is kept as the text that it is, and shown with fresh tokens."""
        body = gzip.compress(b"<title>Page</title>" + FORM.encode())
        coded = Response(200, (HTML, (b"content-encoding", b"gzip")), body)
        browser, answer = self.sent(coded)
        shown = browser.follow(answer)
        assert (answer.status, answer.body, shown.header("content-encoding")) == (303, b"", None)
        assert len(tokens(shown)) == 1

    def test_a_query_stays(self) -> None:
        """The page stands at the address that was posted to, query and all."""
        browser = self.visit(answering(THANKS))
        answer = browser.post([("so_token", token(browser.get()))], "/save?id=7&so")
        assert answer.location.startswith("/save?id=7&so=")
        assert browser.follow(answer).body == THANKS.body

    # What passes ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", PASSING)
    def test_other_answers_pass(self, kind: str) -> None:
        """What is no page, or is to be asked again, arrives as the answer that it is."""
        _, answer = self.sent(PASSING[kind])
        assert (answer.status, answer.body) == (PASSING[kind].status, PASSING[kind].body)
        assert self.effects.all() == ["done"]

    def test_a_page_without_end_passes(self) -> None:
        """What is longer than an answer that is held back: planted, and sent as it comes."""

        def pieces() -> Iterator[bytes]:
            yield FORM.encode()
            for at in range(0, len(LARGE), 9000):
                yield LARGE[at : at + 9000]

        _, answer = self.sent(lambda _call: Streamed(200, (HTML,), pieces()))
        assert (answer.status, len(tokens(answer))) == (200, 1)
        assert answer.body.endswith(LARGE)

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
            {"sec_fetch_dest": None, "x_requested_with": "XMLHttpRequest"},
            {"sec_fetch_dest": None, "hx_request": "true"},
        ],
        ids=["fetch", "XMLHttpRequest", "htmx"],
    )
    @pytest.mark.parametrize("named", [True, False], ids=["token", "no token"])
    def test_a_fragment_for_a_script_passes(
        self, headers: dict[str, str | None], named: bool
    ) -> None:
        """A script gets what it asked for."""
        browser = self.visit(answering(THANKS))
        found = token(browser.get())
        fields = {"message": "a", **({"so_token": found} if named else {})}
        answer = browser.post(fields, **headers)
        assert (answer.status, answer.body) == (200, THANKS.body)

    def test_without_a_cookie_it_passes(self) -> None:
        """Who could not open it gets it at once."""
        client = self.serve(answering(THANKS))
        head = (("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "9"))
        answer = fetch(client, Ask("POST", "/", head, b"message=a"))
        assert (answer.status, answer.body) == (200, THANKS.body)

    def test_switched_off(self) -> None:
        """`convert=False`: the page is the answer; sent again, it was done already."""
        _, answer = self.sent(THANKS, convert=False)
        assert (answer.status, answer.body) == (200, THANKS.body)

    def test_a_path_that_is_another_site_in_a_location(self) -> None:
        """`//evil.example/` is a path of ours, and as a redirect it would be somebody else's."""
        _, answer = self.sent(THANKS, "//evil.example/x")
        assert (answer.status, answer.body) == (200, THANKS.body)

    def test_a_page_with_a_token_is_not_kept(self) -> None:
        """A token that the view wrote itself is for one answer, and is never stored."""
        _, answer = self.sent(lambda call: page(f"<form method=post>{call.visit.field()}</form>"))
        assert (answer.status, len(tokens(answer))) == (200, 1)

    # What is kept, and for whom ------------------------------------------------------------------

    def test_nothing_of_it_can_be_read(self) -> None:
        """Neither page nor password stands in any file of the store."""
        secret = "the word nobody may read"

        def view(call: Call) -> Response:
            assert secret.replace(" ", "+").encode() in call.body
            return page(f"<p>Your password is {secret}.")

        browser = self.visit(answering(view))
        answer = browser.submit({"message": secret})
        assert secret in browser.follow(answer).text
        files = [file for file in self._store.parent.iterdir() if file.is_file()]
        assert self._store in files
        for file in files:
            assert not any(
                word in file.read_bytes() for word in (b"nobody may", b"nobody+may", b"Your pass")
            )

    def test_a_mark_that_is_nobodys_is_no_mark(self) -> None:
        """Unknown, another visitor's, at another address: the very answer without a mark."""
        served = page("<p>public", headers=((b"cache-control", b"max-age=60"), (b"etag", b'"1"')))
        client = self.serve(
            lambda call: served if call.method == "GET" and call.path != "/form" else page(FORM)
        )
        browser, stranger = Browser(client), Browser(client)
        stranger.get("/form")
        fields = {"message": "a", "so_token": token(browser.get("/form"))}
        location = browser.post(fields, "/").location
        assert tokens(browser.get(location))
        plain = browser.get()
        unknown = mark_of(b"unknown!")
        for who, where in (
            (stranger, location),
            (Browser(client), location),
            (browser, unknown),
            (browser, location.replace("/?", "/other?")),
        ):
            assert who.get(where) == plain

    def test_the_oldest_goes_first(self) -> None:
        """Over `max_kept` the oldest pages go: then their address shows the app's own page."""
        browser, first = self.sent(page("x" * 3000), max_kept=500)
        second = browser.submit({"message": "b"})
        assert "xxx" not in browser.follow(first).text
        token(browser.follow(first))
        assert [second.status, len(self.effects.all())] == [303, 2]

    @pytest.mark.parametrize("status", [404, 405])
    def test_gone_where_nothing_stands(self, status: int) -> None:
        """A page that is gone, at an address without a page: it was done, and it says so."""

        def form_elsewhere(call: Call) -> Response:
            if call.method == "POST":
                return THANKS
            return page(FORM) if call.path == "/" else page("<p>no", status=status)

        browser = self.visit(form_elsewhere)
        fields = {"message": "a", "so_token": token(browser.get())}
        answer = browser.post(fields, "/save")
        assert browser.follow(answer).body == THANKS.body
        gone = browser.get(answer.location, authorization="Basic Ym9i")
        assert (gone.status, "This was already done" in gone.text) == (200, True)
        assert "Ann" not in gone.text
        assert browser.get("/save").status == status
        assert Browser(browser.client).get(answer.location).status == status

    def test_gone_to_make_room(self) -> None:
        """A page that had to go for others, at an address without a page: it was done."""

        def form_elsewhere(call: Call) -> Response:
            if call.method == "POST":
                return page("x" * 3000)
            return page(FORM) if call.path == "/" else page("<p>no", status=405)

        browser = self.visit(form_elsewhere, max_kept=500)
        first, second = (
            browser.post({"message": text, "so_token": token(browser.get())}, "/save")
            for text in ("a", "b")
        )
        assert first.location != second.location
        gone = browser.follow(first)
        assert (gone.status, "This was already done" in gone.text) == (200, True)
        assert Browser(browser.client).get(first.location).status == 405
        assert browser.get("/save").status == 405
