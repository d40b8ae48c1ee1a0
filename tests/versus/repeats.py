"""A form that is sent more often than it is meant: something broke, or somebody was quick."""

from __future__ import annotations

import os
import signal
from typing import Final

from .apps.trouble import ANSWERED, ATTACK
from .trial import Attack, Trial
from .wire import Cut


def double_click(trial: Trial) -> None:
    """Two at once; the second answer counts."""
    sent = trial.form()
    clicks = [trial.browser.send(sent) for _ in range(2)]
    trial.expect(trial.browser.follow(sent.target, clicks[1], sent))
    clicks[0].leave()


def refresh(trial: Trial) -> None:
    """Answered, then the same request again."""
    sent = trial.form()
    trial.post(sent)
    trial.expect(trial.browser.submit(sent))


def back(trial: Trial) -> None:
    """The form again from the browser's memory."""
    sent = trial.form()
    for _ in range(2):
        trial.expect(trial.browser.submit(sent))


def disconnect(trial: Trial) -> None:
    """The browser leaves while the view works."""
    sent = trial.form()
    lost = trial.browser.send(sent, (ATTACK, f"tell before {trial.name}"))
    trial.shop.told(trial.name)
    lost.leave()
    trial.expect(trial.browser.submit(sent))


def crash_before(trial: Trial) -> None:
    """`os._exit` in the view, then sent again."""
    _crash(trial, "crash before")


def crash_after(trial: Trial) -> None:
    """The same, behind the insert."""
    _crash(trial, "crash after")


def crash_answered(trial: Trial) -> None:
    """`os._exit` when everything is committed, then sent again."""
    _crash(trial, ANSWERED)


def _crash(trial: Trial, where: str) -> None:
    sent = trial.form()
    try:
        trial.browser.submit(sent, (ATTACK, where))
    except Cut:
        trial.expect(trial.browser.submit(sent))
    else:
        raise AssertionError("nothing crashed")


def kill(trial: Trial) -> None:
    """The worker, in the view behind the insert; then sent again."""
    sent = trial.form()
    lost = trial.browser.send(sent, (ATTACK, f"hold after {trial.name}"))
    os.kill(trial.shop.told(trial.name), signal.SIGKILL)
    try:
        lost.answer()
    except Cut:
        trial.expect(trial.browser.submit(sent))
    else:
        raise AssertionError("nothing was killed")


REPEATS: Final = (
    Attack("double click", 200, double_click),
    Attack("refresh of the POST", 50, refresh),
    Attack("back + submit", 50, back),
    Attack("disconnect + retry", 50, disconnect),
    Attack("crash before the insert", 50, crash_before, alone=True),
    Attack("crash after the insert", 50, crash_after, alone=True),
    Attack("crash before the answer", 50, crash_answered, alone=True),
    Attack("kill -9", 20, kill, alone=True),
)
