"""The promises about refusals: other sites, other hosts, forged tokens, broken bodies."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product

import pytest

from ...core.keys import decode
from ...core.policy import Policy
from ...core.token import mint
from .browser import FORM as URLENCODED
from .browser import Browser, token, tokens
from .harness import Harness, board
from .stage import SECRET, Answer, Ask, fetch

EVIL = "https://evil.example"
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\ntyped text\r\n--x--\r\n'
ENCTYPES = {
    "urlencoded": (URLENCODED, b"message=typed+text"),
    "multipart": ("multipart/form-data; boundary=x", MULTIPART),
    "plain": ("text/plain", b"message=typed text"),
}
OVERRIDES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/?_method=DELETE", {}),
    ("/?%5fmethod=DELETE", {}),
    ("/", {"x_http_method_override": "DELETE"}),
    ("/", {"x_http_method": "PUT"}),
    ("/", {"x_method_override": "PATCH"}),
)


def _other(letter: str) -> str:
    return "B" if letter == "A" else "A"


def _changed(at: int) -> Callable[[str], str]:
    return lambda token: token[:at] + _other(token[at]) + token[at + 1 :]


NOT_OURS: tuple[Callable[[str], str], ...] = (
    lambda _token: "",
    lambda token: token[:-1],
    lambda token: token + "A",
    lambda token: token + "=",
    lambda token: token[:-1] + '"',
    *map(_changed, range(56)),
)
BODIES = {
    "damaged": (400, ENCTYPES["multipart"][0], MULTIPART[:-10]),
    "no boundary": (400, "multipart/form-data", MULTIPART),
    "too large": (413, URLENCODED, b"message=" + b"a" * 2000),
}


class RefusalPromises(Harness):
    """Whatever is refused had no effect; and nothing of another site's request is echoed."""

    def nothing_of_it(self, answer: Answer) -> None:
        """No effect, and not a word of the request in the answer: nothing to steal or to inject."""
        assert self.effects.all() == []
        assert "typed" not in answer.text and "<form" not in answer.text
        assert (tokens(answer), answer.all("set-cookie")) == ([], [])

    # Other sites ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("known", [True, False], ids=["cookies", "no cookies"])
    @pytest.mark.parametrize("enctype", ENCTYPES)
    def test_another_site_is_refused(self, enctype: str, known: bool) -> None:
        """Each enctype, with cookies and without, framed or not: 403, nothing done or echoed."""
        browser = self.visit(board)
        if known:
            browser.get()
        kind, body = ENCTYPES[enctype]
        for site, dest in product(("cross-site", "same-site", None), ("document", "iframe")):
            answer = browser.ask(
                "POST",
                "/",
                body,
                content_type=kind,
                origin=EVIL,
                sec_fetch_site=site,
                sec_fetch_dest=dest,
            )
            assert answer.status == 403
            self.nothing_of_it(answer)

    def test_a_token_does_not_help_another_site(self) -> None:
        """A stolen token, with the victim's own cookies, from another site: refused."""
        browser = self.visit(board)
        sent = {"message": "typed text", "so_token": token(browser.get())}
        answer = browser.post(sent, origin=EVIL, sec_fetch_site="cross-site")
        assert answer.status == 403
        self.nothing_of_it(answer)
        assert browser.post(sent).status == 303

    def test_a_method_in_disguise_is_judged(self) -> None:
        """A GET that asks to be read as another method comes from another site: refused."""
        browser = self.visit(board)
        for target, headers in OVERRIDES:
            answer = browser.get(target, sec_fetch_site="cross-site", **headers)
            assert (target, headers, answer.status) == (target, headers, 403)
            self.nothing_of_it(answer)

    def test_a_trusted_site_may_post(self) -> None:
        """An origin that the policy trusts for one path: there it passes, elsewhere not."""
        browser = self.visit(board, trusted_origins=("https://idp.example /acs",))
        sent = {"origin": "https://idp.example", "sec_fetch_site": "cross-site"}
        assert browser.post({"message": "a"}, "/acs", **sent).status == 303
        assert browser.post({"message": "b"}, "/", **sent).status == 403
        assert self.effects.all() == ["a"]

    @pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a b"])
    def test_an_unknown_host_is_refused(self, host: str) -> None:
        """With `hosts` set, a rebound name is 400, for reading and for writing."""
        browser = self.visit(board, hosts=("localhost",))
        assert browser.get(host=host).status == 400
        answer = browser.post({"message": "typed text"}, host=host)
        assert answer.status == 400
        self.nothing_of_it(answer)
        assert browser.get().status == 200

    def test_a_forwarded_host_counts_for_nothing(self) -> None:
        """Without `proxy_hops` nobody's word about our own address is believed."""
        browser = self.visit(board, hosts=("localhost",))
        headers = {"x_forwarded_host": "evil.example", "x_forwarded_proto": "https"}
        answer = browser.get(**headers)
        assert answer.status == 200
        assert not any(name.startswith("__Host-") for name in browser.cookies)
        refused = browser.post({"message": "a"}, origin=EVIL, sec_fetch_site=None, **headers)
        assert refused.status == 403

    def test_headers_about_headers_change_nothing(self) -> None:
        """`Connection: Cookie` is for proxies: a request with cookies stays one."""
        browser = self.visit(board)
        browser.get()
        fields = {"message": "typed text"}
        bare = {"origin": None, "sec_fetch_site": None, "connection": "Cookie"}
        assert browser.post(fields, **bare).status == 403
        assert self.effects.all() == []

    # Tokens --------------------------------------------------------------------------------------

    def test_a_token_that_is_not_ours_asks_nobody(self) -> None:
        """400 with the form and everything typed, although the store cannot even be opened."""
        browser = self.visit(board, store="sqlite:////nowhere/at/all.db")
        for spoil in NOT_OURS:
            forged = spoil(token(browser.get()))
            answer = browser.post({"message": "typed text", "so_token": forged})
            self._comes_back(answer)

    def test_two_tokens_are_none(self) -> None:
        """Whoever adds a second token to a form does not choose which one counts."""
        browser = self.visit(board)
        pairs = [("message", "typed text"), ("so_token", token(browser.get()))]
        answer = browser.post([*pairs, pairs[1]])
        self._comes_back(answer)

    @pytest.mark.parametrize(("ago", "status"), [(0, 303), (86_000, 303), (86_500, 400)])
    def test_an_old_page_is_sent_once_more(self, ago: int, status: int) -> None:
        """A token older than a day: the form comes back filled in; one more Send, one effect."""
        browser = self.visit(board)
        browser.get()
        cookie = next(v for k, v in browser.cookies.items() if k.startswith("so-"))
        sent = {"message": "typed text", "so_token": _minted(cookie, time.time() - ago)}
        answer = browser.post(sent)
        assert answer.status == status
        if status == 400:
            self._comes_back(answer)
            browser.post({**sent, "so_token": token(answer)})
        assert self.effects.all() == ["typed text"]

    def test_another_visitors_token_is_sent_once_more(self) -> None:
        """A page from another browser profile: nothing runs, the form comes back."""
        client = self.serve(board)
        ann, bob = Browser(client), Browser(client)
        ann.get()
        bob.get()
        sent = {"message": "typed text", "so_token": token(ann.get())}
        self._comes_back(bob.post(sent))

    def test_a_required_token(self) -> None:
        """`require_token`: a form without one is not run, and comes back with one."""
        browser = self.visit(board, require_token=True)
        browser.get()
        self._comes_back(browser.post({"message": "typed text"}))

    def _comes_back(self, answer: Answer) -> None:
        """400; no effect; everything typed; a fresh token; inert markup."""
        assert (answer.status, self.effects.all()) == (400, [])
        assert "typed text" in answer.text
        token(answer)

    # Cookies -------------------------------------------------------------------------------------

    def test_a_spoilt_cookie_is_none(self) -> None:
        """Cookies are read to the letter: what another parser would repair is no visitor here."""
        browser = self.visit(board)
        browser.get()
        ((name, value),) = browser.cookies.items()
        good = f"{name}={value}"
        sent = {"message": "typed text", "so_token": token(browser.get())}
        for spoilt in (
            f"{good}; {good}",
            f"\u2000{good}",
            f"{good}\u2000",
            f'{name}="{value}"',
            f"{name} ={value}",
            f"{name.upper()}={value}",
        ):
            line = spoilt.encode().decode("latin-1")
            self._comes_back(browser.post(sent, cookie=line))
        assert browser.post(sent, cookie=good).status == 303

    # Bodies --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("how", BODIES)
    def test_a_bad_body_is_refused(self, how: str) -> None:
        """A form that cannot be read without guessing, or is too large, is not run."""
        status, kind, body = BODIES[how]
        browser = self.visit(board, max_body=1000)
        answer = browser.ask("POST", "/", body, content_type=kind, origin=browser.origin)
        assert answer.status == status
        self.nothing_of_it(answer)

    def test_a_form_without_a_length_is_refused(self) -> None:
        """411: nobody can tell where such a form ends."""
        browser = self.visit(board)
        head = (("Content-Type", URLENCODED), ("Origin", browser.origin))
        answer = fetch(browser.client, Ask("POST", "/", head))
        assert answer.status == 411
        self.nothing_of_it(answer)


def _minted(cookie: str, issued: float) -> str:
    """A token of this visitor, as it was minted at another time."""
    ring = Policy.of({"secret": SECRET, "namespace": "contract"}).ring
    visitor = decode(cookie, 16)
    assert visitor is not None
    return mint(ring, visitor=visitor, now=issued, nonce=b"n" * 16, had_headers=True)
