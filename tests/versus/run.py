"""All attacks on one shop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from .messages import MESSAGES
from .repeats import REPEATS
from .shops import Framework, Shop
from .trial import Attack, Result, Trial

ATTACKS: Final = (*REPEATS, *MESSAGES)
SCALE: Final = float(os.environ.get("SCALE", "1"))
AT_ONCE: Final = 4
Tell = Callable[[Attack, Result, float], None]


def attacked(
    framework: Framework,
    *,
    protected: bool,
    attacks: Iterable[Attack] = ATTACKS,
    scale: float = SCALE,
    tell: Tell = lambda *_: None,
) -> dict[str, Result]:
    """The shop of this framework, attacked; a result for each attack."""
    results = {}
    with (
        TemporaryDirectory(prefix=f"versus-{framework.name}-") as folder,
        Shop(framework, Path(folder), protected=protected) as shop,
    ):
        for attack in attacks:
            begun = time.monotonic()
            results[attack.name] = attack_on(shop, attack, max(1, round(attack.trials * scale)))
            tell(attack, results[attack.name], time.monotonic() - begun)
    return results


def attack_on(shop: Shop, attack: Attack, number: int) -> Result:
    """All trials of one attack. Whatever stops one of them is told with what the server said."""
    word = attack.name.replace(" ", "-").replace("+", "and")
    trials = [Trial(shop, f"{word}-{one}") for one in range(number)]
    result = Result(number)
    try:
        with ThreadPoolExecutor(1 if attack.alone else AT_ONCE) as pool:
            list(pool.map(attack.play, trials))
        orders = shop.orders()
    except Exception as error:
        error.add_note(f"{shop.framework.name}, seeother {shop.protected}, {attack.name}")
        error.add_note(shop.log_tail)
        raise
    for trial in trials:
        result.add(trial, orders)
    return result
