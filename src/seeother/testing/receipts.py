"""The promises of receipts: each message on one page, drafts kept, double clicks recognised."""

from __future__ import annotations

from typing import Any

from ..core.ops import Echo, Open, Opened, Rearm, Settled, Taken, Unknown
from ..core.values import Flash, Receipt
from .harness import (
    ANN,
    BOB,
    Harness,
    claim,
    key,
    named,
    outcome,
    page,
    receipt,
    together,
)

FRESH = 10.0
AGAIN = "This was already done."


class ReceiptPromises(Harness):
    """Take, acknowledge, give back, arm again."""

    # One page, one time ----------------------------------------------------------------------

    def test_a_message_waits_for_its_page(self) -> None:
        """The page that names the receipt learns of it, takes it, and it is as it was written."""
        strange = (
            Flash("caf\u00e9 \U0001f600 <b>"),
            Flash("", "error", None),
            Flash("x", "a", "/l"),
        )
        self.leave(Receipt(page(), ANN, None, b"", strange))
        assert self.waiting(mark=page()) == (page(),)
        assert self.take(page()) == (Taken(page(), strange),)

    def test_opening_takes_nothing(self) -> None:
        """Open is a read: whoever looks ten times leaves the message where it is."""
        self.leave(receipt("receipt", "saved"))
        for _ in range(10):
            assert self.waiting(mark=page()) == (page(),)

    def test_two_pages_cannot_have_one_message(self) -> None:
        """While one page has it, nothing waits and nothing can be taken."""
        self.leave(receipt("receipt", "saved"))
        assert len(self.take(page())) == 1
        assert self.waiting(mark=page()) == ()
        assert self.take(page(), lease_id=b"lease-2") == ()

    def test_a_page_learns_that_another_has_its_message(self) -> None:
        """Leased now, by one that may give it back: said where messages are asked for."""
        ask, saved = Open(ANN, mark=page(), messages=True), named("other", 8)
        self.leave(receipt("receipt", "saved"))
        self.leave(receipt("other"))
        assert not self.ask(ask).elsewhere
        self.take(page())
        assert self.ask(ask).elsewhere
        for other in (Open(BOB, mark=page(), messages=True), Open(ANN, mark=page())):
            assert not self.ask(other).elsewhere
        assert not self.ask(Open(ANN, mark=saved, messages=True)).elsewhere
        self.shown(page())
        assert not self.ask(ask).elsewhere

    def test_sixteen_pages_at_once(self) -> None:
        """Sixteen pages take at the same moment: one gets it."""
        self.leave(receipt("receipt", "saved"))
        taken = together(lambda n: self.take(page(), lease_id=bytes((n,))), range(16))
        assert sum(map(len, taken)) == 1

    def test_a_receipt_named_twice_is_taken_once(self) -> None:
        """A page that asks for the same receipt twice has one message."""
        self.leave(receipt("receipt", "saved"))
        assert len(self.take(page(), page())) == 1

    def test_a_shown_message_never_comes_back(self) -> None:
        """Acknowledged is final, also when the lease is long over."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.shown(page())
        self.clock.tick(3_600)
        assert self.waiting(mark=page(), orphans=True) == ()
        assert self.take(page(), lease_id=b"lease-2") == ()

    def test_a_message_that_was_not_shown_waits_again(self) -> None:
        """Given back: the next page has it."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.unshown(page())
        assert self.waiting(mark=page()) == (page(),)
        assert len(self.take(page(), lease_id=b"lease-2")) == 1

    def test_a_page_that_died_loses_its_lease(self) -> None:
        """After the lease the message waits again; the dead page's words do not count any more."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.clock.tick(60.0)
        assert self.waiting(mark=page()) == (page(),)
        assert len(self.take(page(), lease_id=b"lease-2")) == 1
        self.shown(page(), lease_id=b"lease-1")
        self.unshown(page(), lease_id=b"lease-1")
        assert self.waiting(mark=page()) == ()
        self.unshown(page(), lease_id=b"lease-2")
        assert self.waiting(mark=page()) == (page(),)

    def test_a_stranger_gets_nothing(self) -> None:
        """Another visitor sees and takes neither message nor draft, whatever mark he has."""
        self.leave(receipt("receipt", "saved", draft=b"sealed"))
        assert self.ask(_open(BOB)) == Opened()
        assert self.take(page(), visitor=BOB) == ()
        assert self.waiting(mark=page()) == (page(),)

    def test_an_unknown_mark_is_no_mark(self) -> None:
        """What nobody wrote can be opened, taken, shown and armed without any effect."""
        assert self.ask(_open(ANN)) == Opened()
        assert self.take(page()) == ()
        self.shown(page())
        self.unshown(page())
        self.ask(Rearm(page(), FRESH))
        assert self.ask(_open(ANN)) == Opened()

    # Drafts ----------------------------------------------------------------------------------

    def test_a_draft_is_not_consumed(self) -> None:
        """Reloading brings it again; a receipt without messages has nobody wait for it."""
        self.leave(receipt(draft=b"sealed"))
        for _ in range(3):
            assert self.ask(_open(ANN)) == Opened(draft=b"sealed")
        self.clock.tick(3_600)
        assert self.waiting(orphans=True) == ()
        assert self.take(page()) == ()

    def test_who_may_take_no_messages_still_reads_the_draft(self) -> None:
        """A prefetch gets the page as it is, without the messages."""
        self.leave(receipt("receipt", "saved", draft=b"sealed"))
        assert self.ask(_open(ANN, messages=False)) == Opened(draft=b"sealed")

    # Orphans ---------------------------------------------------------------------------------

    def test_an_orphan_is_found_after_a_while(self) -> None:
        """Untaken for 5 s: any page of the visitor may have it; before that only its own."""
        self.leave(receipt("receipt", "saved"))
        self.clock.tick(4.5)
        assert self.waiting(orphans=True) == ()
        self.clock.tick(0.5)
        assert self.waiting(orphans=True) == (page(),)
        assert self.waiting(mark=named("other", 8)) == ()

    def test_only_own_orphans(self) -> None:
        """Nobody sees another visitor's."""
        self.leave(receipt("receipt", "saved"))
        self.clock.tick(60)
        assert self.waiting(BOB, orphans=True) == ()

    def test_orphans_come_in_order(self) -> None:
        """The oldest first, and one that is also the page's own only once."""
        for number in range(3):
            self.leave(receipt(f"r{number}", "saved"))
        self.clock.tick(5)
        assert self.waiting(orphans=True) == (page("r0"), page("r1"), page("r2"))
        assert self.waiting(mark=page("r1"), orphans=True) == (page("r1"), page("r0"), page("r2"))

    def test_taken_orphans_do_not_hide_others(self) -> None:
        """However many are being shown elsewhere, one that waits is found."""
        names = [f"r{number}" for number in range(12)]
        for name in names:
            self.leave(receipt(name, "saved"))
        self.clock.tick(5)
        self.take(*(page(name) for name in names[:11]))
        assert self.waiting(orphans=True) == (page("r11"),)

    # Replays ---------------------------------------------------------------------------------

    def test_a_replay_says_whether_the_message_was_taken(self) -> None:
        """As long as it waits a replay need not write; taken or shown, it has to arm it again."""
        self.done(claim(), outcome(receipt=page()), receipt=receipt("receipt", "saved"))
        assert self.lookup(claim()) == Settled(outcome(receipt=page()), 0.0, taken=False)
        self.take(page())
        assert self.lookup(claim()).taken
        assert self.ask(claim(by="another")) == self.lookup(claim())
        self.shown(page())
        assert self.lookup(claim()).taken

    def test_arming_what_waits_changes_nothing(self) -> None:
        """However late: a message that nobody took is shown as it is."""
        self.leave(receipt("receipt", "saved"))
        self.clock.tick(3_600)
        self.ask(Rearm(page(), FRESH))
        (taken,) = self.take(page())
        assert taken.messages == receipt("receipt", "saved").messages
        assert not taken.again

    def test_a_quick_replay_shows_the_message_once_more(self) -> None:
        """Within 10 s of Settle, when the first page has taken it: the same message."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.clock.tick(FRESH)
        self.ask(Rearm(page(), FRESH))
        assert self.take(page(), lease_id=b"lease-2") == (
            Taken(page(), receipt("receipt", "saved").messages),
        )

    def test_arming_voids_the_lease(self) -> None:
        """The page that had it (left by the second click) can neither finish nor give back."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.ask(Rearm(page(), FRESH))
        self.shown(page())
        assert self.waiting(mark=page()) == (page(),)

    def test_a_late_replay_says_that_it_was_done(self) -> None:
        """Later than 10 s: "This was already done.", with the link of the message."""
        self.leave(receipt("receipt", "saved", "and more"))
        self.take(page())
        self.shown(page())
        self.clock.tick(FRESH + 0.5)
        self.ask(Rearm(page(), FRESH))
        (taken,) = self.take(page(), lease_id=b"lease-2")
        assert taken == Taken(page(), (Flash(AGAIN, "info", "/saved"),), again=True)

    def test_an_armed_again_message_belongs_to_its_page_first(self) -> None:
        """It too is an orphan only after 5 s, counted from the replay."""
        self.leave(receipt("receipt", "saved"))
        self.take(page())
        self.clock.tick(60)
        self.ask(Rearm(page(), FRESH))
        assert self.waiting(orphans=True) == ()
        assert self.waiting(mark=page()) == (page(),)
        self.clock.tick(5)
        assert self.waiting(orphans=True) == (page(),)

    # The echo --------------------------------------------------------------------------------

    def test_the_echo_of_a_double_click(self) -> None:
        """Sent from the page behind the first, with equal input, within 1 s: the same outcome."""
        self._first_click()
        self.clock.tick(1.0)
        assert self._second_click().outcome == outcome(receipt=page())

    def test_an_echo_dies_away(self) -> None:
        """Later than that it is a submission of its own."""
        self._first_click()
        self.clock.tick(1.5)
        assert self._second_click() == Unknown()

    def test_an_echo_is_equal_input_of_the_same_visitor(self) -> None:
        """Other input, or another visitor with the same mark, is no echo."""
        self._first_click()
        assert self._second_click(digest="other") == Unknown()
        assert self._second_click(visitor=BOB) == Unknown()

    def test_a_page_has_no_echo(self) -> None:
        """A receipt that no submission wrote, or that nobody wrote, leads nowhere."""
        assert self._second_click() == Unknown()
        self.leave(receipt("receipt", "saved"))
        assert self._second_click() == Unknown()

    def _first_click(self) -> None:
        left = receipt("receipt", "saved", key=key())
        self.done(claim(), outcome(receipt=page()), receipt=left)

    def _second_click(self, digest: str = "echo", visitor: bytes = ANN) -> Any:
        echo = Echo(page(), named(digest), visitor, 1.0)
        return self.lookup(claim(key("next"), fp="next"), echo)


def _open(visitor: bytes, *, messages: bool = True) -> Open:
    return Open(visitor, mark=page(), messages=messages)
