"""Two things at once in one session, and what becomes of the message."""

from __future__ import annotations

import random
import time
from typing import Final

from .apps.trouble import ATTACK, WORK
from .browser import BY_HAND, PREFETCH, Page
from .trial import Attack, Fault, Trial

SLOW: Final = (WORK, "200")
LONG: Final = 64 * 1024
MANY: Final = 80
SHORT: Final = 60


def lost_updates(trial: Trial) -> None:
    """Two pages at once write a key each."""
    _open(trial)
    both = [trial.browser.ask(f"/look/{tea}", more=[BY_HAND]) for tea in ("Assam", "Sencha")]
    trial.browser.all(both)
    trial.remembers(**{"seen Assam": True, "seen Sencha": True})


def overlap(trial: Trial) -> None:
    """The same with 200 ms of work."""
    _open(trial)
    begun = time.perf_counter()
    trial.browser.hear(trial.browser.ask("/look/one", more=[BY_HAND, SLOW]))
    one = time.perf_counter() - begun
    both = [trial.browser.ask(f"/look/{tea}", more=[BY_HAND, SLOW]) for tea in ("two", "three")]
    trial.browser.all(both)
    trial.seconds = one, time.perf_counter() - begun - one
    trial.remembers(**{"seen one": True, "seen two": True, "seen three": True})


def slow_over_post(trial: Trial) -> None:
    """It began before the order and ends after it."""
    _open(trial)
    sent = trial.form()
    told = (ATTACK, f"tell looking {trial.name}")
    slow = trial.browser.ask("/look/Assam", more=[BY_HAND, SLOW, told])
    trial.shop.told(trial.name)
    there = trial.post(sent)
    trial.browser.hear(slow)
    trial.expect(trial.land(there))
    trial.remembers(**{"seen Assam": True, "last": trial.name})


def race(trial: Trial) -> None:
    """The landing page and another tab at once."""
    there = trial.post(trial.form())
    tabs = [trial.browser.ask(there), trial.browser.ask("/done", site="none", more=[BY_HAND])]
    own, other = (Page(there, one) for one in trial.browser.all(tabs))
    trial.expect(own)
    if other.says(trial.name):
        trial.faults.add(Fault.REPEATED if own.says(trial.name) else Fault.WRONG)


def prefetch(trial: Trial) -> None:
    """Of the landing page, before it is loaded."""
    there = trial.post(trial.form())
    trial.browser.hear(trial.browser.ask(there, more=[PREFETCH]))
    trial.expect(trial.land(there))


def lost_page(trial: Trial) -> None:
    """The landing page is sent and never arrives; a reload."""
    there = trial.post(trial.form())
    trial.browser.ask(there).answer()  # and nobody hears it
    trial.expect(trial.land(there))


def tabs_in_turn(trial: Trial) -> None:
    """POST A, POST B, page A, page B."""
    _tabs(trial, [trial.post(sent) for sent in (trial.form(" A"), trial.form(" B"))])


def tabs_at_once(trial: Trial) -> None:
    """Both POSTs at once, then both pages."""
    forms = trial.form(" A"), trial.form(" B")
    answers = trial.browser.all([trial.browser.send(sent) for sent in forms])
    pairs = zip(forms, answers, strict=True)
    _tabs(trial, [trial.browser.location(sent.target, answer) or "" for sent, answer in pairs])


def _tabs(trial: Trial, targets: list[str]) -> None:
    """Each tab has to tell about its own order, and not about the other one."""
    for there, own, other in zip(targets, (" A", " B"), (" B", " A"), strict=True):
        page = trial.land(there)
        trial.expect(page, own)
        if page.says(f" {trial.name}{other}."):
            trial.faults.add(Fault.WRONG)


def long_message(trial: Trial) -> None:
    """Incompressible."""
    note = _noise(trial.name, LONG)
    page = trial.browser.submit(trial.form(note=note))
    if not page.says(note):
        trial.faults.add(Fault.SILENT)
    trial.remembers(last=trial.name)


def unread(trial: Trial) -> None:
    """80 orders, then their 80 pages."""
    teas = [f" {number}" for number in range(MANY)]
    targets = [trial.post(trial.form(tea, note=_noise(tea, SHORT))) for tea in teas]
    said = {one for there in targets for one in trial.land(there).said}
    if not all(any(f" {trial.name}{tea}." in one for one in said) for tea in teas):
        trial.faults.add(Fault.SILENT)
    trial.remembers(last=f"{trial.name}{teas[-1]}")


def _noise(seed: str, length: int) -> str:
    """Text that no compression makes small: the same for the same seed."""
    return random.Random(seed).randbytes(length // 2).hex()


def _open(trial: Trial) -> None:
    """A session that exists."""
    trial.browser.open("/")
    trial.browser.open("/look/first")


MESSAGES: Final = (
    Attack("session updates", 200, lost_updates),
    Attack("slow requests overlap", 50, overlap, alone=True),
    Attack("slow request over a POST", 50, slow_over_post),
    Attack("racing pages", 50, race),
    Attack("prefetch", 50, prefetch),
    Attack("two tabs in turn", 50, tabs_in_turn),
    Attack("two tabs at once", 50, tabs_at_once),
    Attack("64 KB message", 20, long_message),
    Attack("80 unread messages", 20, unread),
    Attack("lost page answer", 50, lost_page, limit=Fault.SILENT),
)
