"""The board for plain clients, over real HTTP: what curl, a script, or a broken program gets.

The server is a process, every effect is counted in its database (each test runs on SQLite and on
PostgreSQL), and whatever is sent, the
answer is no traceback and no 5xx.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.board.nodes import board_on
from tests.board.wire import FORM, Answer, ask, exchange, head, post, request
from tests.browser.server import Board

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\nin parts %d\r\n--x--\r\n'


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Board]:
    """One board for this file and store; at the end its log must be free of tracebacks."""
    with board_on(database, tmp_path_factory.mktemp("board")) as server:
        yield server
    assert "Traceback" not in server.log.read_text()


def refused(answer: Answer, *statuses: int) -> None:
    """A clear refusal: one of these statuses, a page with a title, nothing of ours leaked."""
    assert answer.status in statuses, (answer.status, answer.text)
    assert not re.search(r"Traceback|File \"|site-packages|sqlite|psycopg", answer.text)
    if answer.header("content-type").startswith("text/html"):
        assert "<title>" in answer.text and "<h" in answer.text


# What a plain client is promised -----------------------------------------------------------------


def test_a_plain_post_is_303_to_the_board_with_an_empty_body(board: Board) -> None:
    """`message` alone, without cookie and token: 303, `Location: /` exactly, no body, one row."""
    answer = post(board.port, {"message": "Don't forget."})
    assert (answer.status, answer.header("location"), answer.body) == (303, "/", b"")
    assert answer.header("content-length") == "0"
    assert answer.header("cache-control") == "no-store"
    assert not answer.all("set-cookie")
    assert board.messages("Don't forget.") == 1


def test_the_page_is_readable_html(board: Board) -> None:
    """GET: 200, `text/html; charset=utf-8`, the title, and the text readable in the source."""
    post(board.port, {"message": "Don't look back."})
    answer = ask(board.port, "GET", "/")
    assert (answer.status, answer.header("content-type")) == (200, "text/html; charset=utf-8")
    assert "<title>Message Board" in answer.text
    assert "Don't look back." in answer.text


TYPED = {
    "markup": "<b>x</b>",
    "script": '<script>alert("1")</script>',
    "reference": "&lt;b&gt; & &amp;",
    "emoji": "\N{SMILING FACE WITH SUNGLASSES}\N{FAMILY}",
    "other scripts": "שלום — 你好",
    "quotes": "'single' \"double\" `",
    "percent and plus": "100 % + 1 = 101 %20",
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED.keys())
def test_what_was_typed_is_shown_as_those_characters(board: Board, typed: str) -> None:
    """Markup, references, emoji, quotes: stored as typed, and no markup of it in the page."""
    post(board.port, {"message": f"typed: {typed}"})
    assert board.messages(f"typed: {typed}") == 1
    page = ask(board.port, "GET", "/").text
    shown = [node.text().strip() for node in LexborHTMLParser(page).css(".messages .text")]
    assert shown[0] == f"typed: {typed}"
    assert "<b>x" not in page and "<script>alert" not in page


def test_line_breaks_are_kept(board: Board) -> None:
    """CRLF as browsers send it is one line break, stored as LF and shown as `<br>`."""
    post(board.port, {"message": "first\r\nsecond"})
    assert board.messages("first\nsecond") == 1
    assert re.search(r"first<br ?/?>\s*second", ask(board.port, "GET", "/").text)


def test_no_hidden_target_is_believed(board: Board) -> None:
    """No field, query or header of the request moves the redirect away from `/`."""
    hostile = "//evil.example/"
    fields = {"message": "constant", "next": hostile, "return_to": hostile, "url": hostile}
    answer = post(
        board.port,
        fields,
        f"/?next={quote(hostile)}",
        x_forwarded_host="evil.example",
        forwarded="host=evil.example",
        referer="http://evil.example/",
        x_original_url=hostile,
    )
    assert (answer.status, answer.header("location")) == (303, "/")


# The contract of the page ------------------------------------------------------------------------


def test_the_form_is_the_contract(board: Board) -> None:
    """One form, one textarea `message`, one submit button, posting to `/`, planted as `/?so`."""
    tree = LexborHTMLParser(ask(board.port, "GET", "/").text)
    (form,) = tree.css("form")
    (area,) = tree.css("textarea")
    (button,) = tree.css("button")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/?so")
    assert area.attributes["name"] == "message"
    assert (button.attributes["type"], button.parent is not None) == ("submit", True)
    assert form.css("textarea") and form.css("button") and form.css("input[name=so_token]")
    assert tree.css('[role="status"]')


def test_security_headers_of_every_page(board: Board) -> None:
    """Board, permalink, 404 and 405 all carry the policy that lets nothing foreign in."""
    for target in ("/", "/m/1", "/nothing-here"):
        answer = ask(board.port, "GET", target)
        assert answer.header("content-security-policy") == CSP
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "same-origin"
        assert not answer.all("server")


def test_the_form_page_belongs_to_one_visitor(board: Board) -> None:
    """The page with a token is `private, no-cache`, varies by cookie, and sets that cookie only."""
    answer = ask(board.port, "GET", "/")
    assert answer.header("cache-control") == "private, no-cache"
    assert answer.header("vary") == "Cookie"
    cookie = answer.header("set-cookie")
    assert re.fullmatch(
        r"so-[0-9a-f]{6}=[\w-]{22}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax", cookie
    )
    again = ask(board.port, "GET", "/", cookie=cookie.partition(";")[0])
    assert not again.all("set-cookie")


@pytest.mark.parametrize("target", ["/m/1", "/nothing", "/static/board.css", "/static/favicon.svg"])
def test_other_reads_set_no_cookie(board: Board, target: str) -> None:
    """Permalinks, unknown pages and static files set no cookie."""
    assert not ask(board.port, "GET", target).all("set-cookie")


def test_head_is_get_without_the_body_and_without_a_cookie(board: Board) -> None:
    """HEAD renders no token that anybody could send, so it sets no cookie either."""
    answer = ask(board.port, "HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert not answer.all("set-cookie")


def test_newest_first_and_older_pages(tmp_path: Path) -> None:
    """45 messages: newest first, three pages by `rel=next` Older, none missing, none twice."""
    seen, target = [], "/"
    with Board(tmp_path, "--quiet") as board:
        for number in range(45):
            post(board.port, {"message": f"number {number}"})
        while target:
            tree = LexborHTMLParser(ask(board.port, "GET", target).text)
            seen += [node.text().strip() for node in tree.css(".messages .text")]
            older = tree.css_first('a[rel="next"]')
            assert older is None or older.text() == "Older"
            target = str(older.attributes["href"]) if older else ""
    assert seen == [f"number {number}" for number in reversed(range(45))]


def test_a_permalink_shows_one_message(board: Board) -> None:
    """`/m/<id>` is that message; an id that never was is a friendly 404."""
    post(board.port, {"message": "look at me"})
    page = LexborHTMLParser(ask(board.port, "GET", "/").text)
    link = page.css_first(".messages a[href^='/m/']")
    assert link is not None
    answer = ask(board.port, "GET", str(link.attributes["href"]))
    assert answer.status == 200 and "look at me" in answer.text
    for missing in ("/m/999999", "/m/0", f"/m/{10**25}", "/m/x", "/m/-1"):
        refused(ask(board.port, "GET", missing), 404)


# Bad input is a clear 4xx ------------------------------------------------------------------------

BODIES = {
    "no message": (b"name=Ann", FORM),
    "empty body": (b"", FORM),
    "only blanks": (b"message=+%0D%0A+", FORM),
    "broken UTF-8": (b"message=%FF%FEbroken", FORM),
    "broken UTF-8 in a name": (b"m%FFessage=x", FORM),
    "raw bytes": (b"message=\xff\x00\xfe", FORM),
    "another charset": (b"message=x", f"{FORM}; charset=utf-16"),
    "too long": (b"message=" + b"a" * 2001, FORM),
    "too many fields": (b"&".join([b"a=1"] * 2000) + b"&message=x", FORM),
    "JSON": (b'{"message": "x"}', "application/json"),
    "plain text": (b"message=x", "text/plain"),
    "XML": (b"<message>x</message>", "text/xml"),
    "a type that is none": (b"message=x", "/"),
    "parts without a boundary": (MULTIPART % 1, "multipart/form-data"),
    "parts cut off": ((MULTIPART % 2)[:-8], "multipart/form-data; boundary=x"),
    "parts under another boundary": (MULTIPART % 3, "multipart/form-data; boundary=y"),
    "a file as the message": (
        (MULTIPART % 4).replace(b'"message"', b'"message"; filename="a.txt"'),
        "multipart/form-data; boundary=x",
    ),
}


@pytest.mark.parametrize(("body", "kind"), BODIES.values(), ids=BODIES.keys())
def test_input_that_is_no_message_is_a_clear_4xx(board: Board, body: bytes, kind: str) -> None:
    """Whatever arrives instead of a message: a 4xx page, no row, no 500."""
    before = board.messages()
    answer = ask(board.port, "POST", "/", body, content_type=kind)
    refused(answer, 400, 413, 415, 422)
    assert board.messages() == before


def test_a_rejected_form_sets_its_cookie_once_and_is_kept_from_caches(board: Board) -> None:
    """The 422 page holds a token: one visitor cookie at most, `private`, `Vary: Cookie`."""
    answer = post(board.port, {"message": " "})
    assert answer.status == 422 and "so_token" in answer.text
    assert len(answer.all("set-cookie")) <= 1
    assert answer.header("cache-control") == "private, no-cache"
    assert answer.header("vary") == "Cookie"


def test_parts_are_a_form_too(board: Board) -> None:
    """A complete `multipart/form-data` body says the same as a urlencoded one."""
    body = MULTIPART % 77
    kind = "multipart/form-data; boundary=x"
    answer = ask(board.port, "POST", "/", body, content_type=kind)
    assert (answer.status, answer.header("location")) == (303, "/")
    assert board.messages("in parts 77") == 1


LENGTHS = {
    "missing": (),
    "twice, different": (("Content-Length", "9"), ("Content-Length", "10")),
    "twice, equal": (("Content-Length", "9"), ("Content-Length", "9")),
    "with chunks": (("Content-Length", "9"), ("Transfer-Encoding", "chunked")),
    "not a number": (("Content-Length", "nine"),),
    "negative": (("Content-Length", "-9"),),
    "with a plus": (("Content-Length", "+9"),),
    "in hex": (("Content-Length", "0x9"),),
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_a_length_that_is_missing_or_doubtful_is_refused(
    board: Board, lengths: tuple[tuple[str, str], ...]
) -> None:
    """Without exactly one true Content-Length nobody knows where the form ends: 4xx, no row."""
    before = board.messages()
    own = (("Host", f"127.0.0.1:{board.port}"), ("Content-Type", FORM), ("Connection", "close"))
    sent = head("POST / HTTP/1.1", (*own, *lengths)) + b"message=x"
    answer = exchange(board.port, sent, method="POST")
    assert answer is not None
    refused(answer, 400, 411)
    assert board.messages() == before


def test_a_body_that_stops_short_has_no_effect(board: Board) -> None:
    """Fewer bytes than announced, then the end: no row, no 5xx, and the board goes on."""
    sent = request("POST", "/", board.port, b"message=cut", content_length="900")
    answer = exchange(board.port, sent, method="POST", ends=True)
    assert answer is None or 400 <= answer.status < 500
    assert board.messages("cut") == 0
    assert ask(board.port, "GET", "/").status == 200


def test_chunks_are_a_body(board: Board) -> None:
    """A chunked form, as some clients send it, is a form."""
    own = (("Host", f"127.0.0.1:{board.port}"), ("Content-Type", FORM), ("Connection", "close"))
    sent = head("POST / HTTP/1.1", (*own, ("Transfer-Encoding", "chunked")))
    sent += b"8\r\nmessage=\r\n9\r\nin chunks\r\n0\r\n\r\n"
    answer = exchange(board.port, sent, method="POST")
    assert answer is not None and answer.status == 303
    assert board.messages("in chunks") == 1


# Methods, paths and hosts ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_methods_that_the_board_lacks_are_405(board: Board, method: str) -> None:
    """405 names the methods that there are (RFC 9110 section 15.5.6) and changes nothing."""
    before = board.messages()
    body = None if method == "TRACE" else b"message=x"
    answer = ask(board.port, method, "/", body)
    refused(answer, 405)
    allowed = {word.strip() for word in answer.header("allow").split(",")}
    assert {"GET", "HEAD", "POST"} <= allowed
    assert board.messages() == before


def test_options_names_the_methods(board: Board) -> None:
    """OPTIONS says which methods there are, by status 200, 204 or 405, and is no error page."""
    answer = ask(board.port, "OPTIONS", "/")
    assert answer.status in (200, 204, 405)
    allowed = {word.strip() for word in answer.header("allow").split(",")}
    assert {"GET", "POST"} <= allowed
    assert not answer.all("access-control-allow-origin")


@pytest.mark.parametrize("method", ["BREW", "get", "P\xd6ST"])
def test_words_that_are_no_method_are_4xx(board: Board, method: str) -> None:
    """An unknown or misspelt method is 4xx, never a GET in disguise."""
    sent = request("GET", "/", board.port).replace(b"GET", method.encode("latin-1"), 1)
    answer = exchange(board.port, sent)
    assert answer is not None and 400 <= answer.status < 500
    assert "<textarea" not in answer.text


ODD_TARGETS = {
    "unknown": "/nothing/here",
    "two slashes": "//evil.example/",
    "dots": "/static/../app.py",
    "escaped dots": "/static/%2e%2e/app.py",
    "zero byte": "/static/%00",
    "bad escape": "/%zz",
    "escaped line break": "/a%0d%0aSet-Cookie:x=1",
    "not UTF-8": "/%ff%fe",
    "a long path": "/" + "a" * 8000,
    "a long number": "/m/" + "9" * 5000,
}


@pytest.mark.parametrize("target", ODD_TARGETS.values(), ids=ODD_TARGETS.keys())
def test_odd_paths_are_404(board: Board, target: str) -> None:
    """Nobody's path is a friendly 404, and no header can be made out of it."""
    answer = ask(board.port, "GET", target)
    refused(answer, 400, 404)
    assert not answer.all("set-cookie")


ODD_QUERIES = {
    "a long number": "before=" + "9" * 5000,
    "a huge number": f"before={10**30}",
    "no number": "before=x",
    "negative": "before=-1",
    "another kind of digit": "before=%D9%A3",
    "a superscript": "before=%C2%B2",
    "twice": "before=1&before=2",
    "forged mark": "so=" + "A" * 22,
    "bare mark": "so",
    "not UTF-8": "before=%ff&so=%fe",
}


@pytest.mark.parametrize("query", ODD_QUERIES.values(), ids=ODD_QUERIES.keys())
def test_odd_queries_still_show_the_board(board: Board, query: str) -> None:
    """A query from the address bar never breaks the page."""
    answer = ask(board.port, "GET", f"/?{query}")
    assert answer.status == 200 and "<title>Message Board" in answer.text


OVERRIDES = ["x-http-method-override", "x-http-method", "x-method-override"]


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_header_changes_no_method(board: Board, name: str) -> None:
    """GET stays without effect whatever it claims to be; with foreign proof it is refused."""
    before = board.messages()
    plain = ask(board.port, "GET", "/?message=x", **{name: "POST"})
    assert plain.status < 500
    foreign = ask(board.port, "GET", "/", **{name: "POST", "sec-fetch-site": "cross-site"})
    refused(foreign, 403)
    unproved = ask(board.port, "GET", "/", **{name: "POST", "cookie": "a=1"})
    refused(unproved, 403)
    assert board.messages() == before


HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "127.0.0.1:x", "*"]


@pytest.mark.parametrize("host", HOSTS)
def test_an_unknown_host_is_refused(board: Board, host: str) -> None:
    """A name that is not ours (DNS rebinding) is 400 for reads and posts, and is not echoed."""
    before = board.messages()
    for sent in (
        request("GET", "/", board.port, host=host),
        request("POST", "/", board.port, b"message=x", host=host),
    ):
        answer = exchange(board.port, sent)
        assert answer is not None
        refused(answer, 400)
        assert "evil" not in answer.text and not answer.all("set-cookie")
    assert board.messages() == before


def test_two_hosts_are_refused(board: Board) -> None:
    """Two Host lines: whoever stands before us may have checked the other one (RFC 9112 3.2)."""
    names = (("Host", f"127.0.0.1:{board.port}"), ("Host", "evil.example"))
    for hosts in (names, names[::-1]):
        answer = exchange(board.port, head("GET / HTTP/1.1", (*hosts, ("Connection", "close"))))
        assert answer is not None and answer.status == 400
