"""The promises about forms that a script sends: their page may stay, and nobody else reads."""

from __future__ import annotations

from typing import Final

from ...core.values import Response
from .browser import Browser, token
from .harness import FORM, Harness, answering, board
from .stage import Answer, Call, page

HEADER: Final = "seeother-token"
FETCHED: Final = {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors", "accept": "*/*"}
SHOWN: Final = {**FETCHED, "accept": "text/html"}


def strict(call: Call) -> Response:
    """A view that shows its form again at once."""
    text = call.visit.form.get("message", "") if call.method == "POST" else ""
    if call.method == "POST" and not text:
        draft = call.visit.reject({"message": "Type something."})
        return page(f"<p>{draft.error('message')} {draft.old('other')}</p>", FORM)
    return board(call)


def scripted(browser: Browser, text: str, named: str, **headers: str) -> Answer:
    """What a script gets that follows redirects."""
    answer = browser.post({"message": text, "so_token": named}, "/", **{**SHOWN, **headers})
    if answer.status != 303:
        return answer
    return browser.get(answer.location, **{**SHOWN, **headers})


class ScriptPromises(Harness):
    """Tokens renewed, messages for who shows them, input rejected in place."""

    def test_a_script_gets_a_fresh_token(self) -> None:
        """Behind the redirect, for no cache: with it the same words are a new submission."""
        browser = self.visit(board)
        old = token(browser.get())
        landed = scripted(browser, "ok", old)
        assert "Saved ok." in landed.text
        assert "no-store" in (landed.header("cache-control") or "")
        fresh, _, _ = (landed.header(HEADER) or "").partition("~")
        assert len(fresh) == len(old) and fresh != old
        scripted(browser, "ok", old)
        assert self.effects.all() == ["ok"]
        scripted(browser, "ok", fresh)
        assert self.effects.all() == ["ok", "ok"]

    def test_an_answer_in_place_renews_the_token(self) -> None:
        """Also where there is no redirect; a duplicate gets one of its own."""
        answer = Response(200, ((b"content-type", b"text/plain"),), b"done")
        browser = self.visit(answering(answer))
        old = token(browser.get())
        fresh = [scripted(browser, "a", old).header(HEADER) for _ in range(2)]
        assert all(fresh) and len({*fresh, old}) == 3
        assert self.effects.all() == ["done"]

    def test_a_refused_script_gets_a_fresh_token(self) -> None:
        """A token that is none of ours: the next try goes through."""
        browser = self.visit(board)
        browser.get()
        refused = scripted(browser, "a", "x" * 56)
        assert (refused.status, self.effects.all()) == (400, [])
        landed = scripted(browser, "a", refused.header(HEADER) or "")
        assert "Saved a." in landed.text and self.effects.all() == ["a"]

    def test_only_scripts_of_this_origin_get_one(self) -> None:
        """A browser that navigates does not, and who comes from elsewhere even less."""
        browser = self.visit(board)
        answer = browser.submit({"message": "a"})
        seen = [answer, browser.follow(answer), browser.get("/", **SHOWN)]
        foreign = {**SHOWN, "sec_fetch_site": "same-site"}
        seen += [browser.get(answer.location, **foreign), scripted(browser, "b", "", **foreign)]
        assert [one.header(HEADER) for one in seen] == [None] * 5

    def test_the_token_may_stand_in_a_header(self) -> None:
        """Beside a form body without the field it is the token."""
        browser = self.visit(board)
        named = token(browser.get())
        for _ in range(2):
            browser.post({"message": "a"}, "/", **SHOWN, seeother_token=named)
        assert self.effects.all() == ["a"]

    def test_a_message_waits_for_who_shows_it(self) -> None:
        """A script that does not say so takes none; the page that is opened then has it, once."""
        browser = self.visit(board)
        answer = browser.submit({"message": "a"})
        assert "Saved a." not in browser.get(answer.location, **FETCHED).text
        assert "Saved a." in browser.follow(answer).text
        assert "Saved a." not in browser.follow(answer).text

    def test_input_is_rejected_in_place(self) -> None:
        """422, with what was typed and what is wrong; corrected, it is one effect."""
        browser = self.visit(strict)
        named = token(browser.get())
        fields = {"message": "", "other": "typed", "so_token": named}
        answer = browser.post(fields, "/", **SHOWN)
        assert (answer.status, self.effects.all()) == (422, [])
        assert "Type something. typed" in answer.text
        assert "Saved a." in scripted(browser, "a", token(answer)).text
        assert self.effects.all() == ["a"]
