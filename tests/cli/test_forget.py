"""`seeother forget VISITOR`: what is kept of one person goes, everybody else's stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeother.core.fingerprint import session_id, visitor_id
from seeother.core.keys import encode
from seeother.core.ops import Close, Done, Open
from seeother.stores import open_store
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.harness import ANN, page, receipt, write
from tests.cli.conftest import Ran, seeother
from tests.cli.shop import Shop
from tests.servers.redis import address

VALUE, OTHER = b"\xfb" * 16, b"S" * 16


def cookie(browser: Browser) -> str:
    """The value of the visitor cookie, as the browser shows it."""
    (value,) = (value for name, value in browser.cookies.items() if "so-h-" not in name)
    return value


def test_one_person_is_forgotten(shop: Shop) -> None:
    """Ann's message is gone, Ben's is there, and what both have ordered stays."""
    shop.order("tea")
    ann, ben = shop.browser, Browser(WSGIClient(shop.app))
    shop.browser = ben
    shop.order("coffee")
    assert seeother("forget", cookie(ann), store=shop.url) == Ran(0, "1 receipts deleted\n", "")
    assert "receipts 1 (1 with" in seeother("ledger", "stats", store=shop.url).out
    assert seeother("forget", cookie(ann), store=shop.url).out == "0 receipts deleted\n"
    assert shop.orders == ["tea", "coffee"]


def test_an_old_form_still_counts_once(shop: Shop) -> None:
    """Rows of the ledger stay: the form that was sent before is not run again."""
    name = shop.form()
    shop.send(name, "tea")
    seeother("forget", cookie(shop.browser), store=shop.url)
    assert shop.send(name, "tea").status == 303
    assert shop.orders == ["tea"]


@pytest.mark.parametrize("value", ["", "Ann", "-", "A" * 21, "A" * 23, "ä" * 22])
def test_a_value_that_is_none_is_refused(shop: Shop, value: str) -> None:
    """Nothing is deleted, and one sentence says what is asked for."""
    shop.order("tea")
    ran = seeother("forget", value, store=shop.url)
    assert (ran.code, ran.out) == (2, "")
    assert "no value of a visitor cookie" in ran.err


def urls(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty store of a kind."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    if kind == "redis":
        return address()
    url: str = request.getfixturevalue("postgres").fresh()
    return url


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_every_store_forgets(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Receipts with and without a draft, and the session; the sum of drafts stays true."""
    url = urls(kind, tmp_path, request)
    store = open_store(url)
    ann, sid = visitor_id(VALUE), session_id(OTHER)
    left = [receipt("first", "Thanks", visitor=ann), receipt("second", visitor=ann, draft=b"typed")]
    for one in (*left, receipt("third", "Hello", draft=b"more")):
        assert store.close(Close(receipt=one)) == Done()
    assert store.close(Close(write(sid, fresh=True, sets={"name": b"1"}))) == Done()
    ran = seeother("forget", encode(VALUE), "--session", encode(OTHER), store=url)
    assert ran == Ran(0, "2 receipts deleted, session ended\n", "")
    opened = store.open(Open(ann, sid, page("second"), messages=True, orphans=True, orphan_age=0.0))
    assert (opened.waiting, opened.draft, opened.session) == ((), b"", None)
    assert store.open(Open(ANN, None, page("third"))).draft == b"more"
    assert "4 bytes of drafts" in seeother("ledger", "stats", store=url).out
    store.shut()
