"""Forged tokens: whatever is changed, copied together or made up, none but ours is accepted.

The forger knows everything but the secret: many real tokens of this app, of another visitor, of
another form, of an app with another secret, and how a token is laid out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from seeother.core.keys import Keyring, decode, encode
from seeother.core.token import HEAD, WHOLE, mint, verify
from seeother.errors import BadToken, StaleToken

from .tally import Tally

NOW: Final = 1_700_000_000
DAY: Final = 86_400.0
RING: Final = Keyring.make([b"n" * 32, b"o" * 32], "app")
STRANGE: Final = Keyring.make([b"x" * 32], "app")
VISITORS: Final = (b"v" * 16, b"w" * 16)
SCOPES: Final = ("", "/pay")
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
POOL: Final = 200


def tokens(seed: int, number: int, tally: Tally) -> None:
    """What is accepted is a token that was minted, for the visitor whom it was minted for."""
    dice = random.Random(seed)
    real = {text: (visitor, scope) for text, visitor, scope in _minted(dice)}
    for text in _forged(dice, [*real], number):
        scope = dice.choice(SCOPES)
        try:
            token = verify(RING, text, now=NOW, max_age=DAY, scopes=(scope,))
        except (BadToken, StaleToken) as error:
            tally.add(f"refused: {error.reason}")
            continue
        ours = real.get(text)
        owners = [visitor for visitor in VISITORS if token.belongs_to(visitor)]
        right = ours is not None and ours[1] == scope and owners == [ours[0]]
        tally.add("ours, unchanged", "" if right else f"{text} in {scope!r} by {owners}")


def _minted(dice: random.Random) -> Iterator[tuple[str, bytes, str]]:
    for _ in range(POOL):
        visitor, scope, nonce = dice.choice(VISITORS), dice.choice(SCOPES), dice.randbytes(16)
        yield mint(RING, visitor=visitor, now=NOW, nonce=nonce, scope=scope), visitor, scope


def _forged(dice: random.Random, real: list[str], number: int) -> Iterator[str]:
    raw = [decode(text, WHOLE.size) or b"" for text in real]
    for _ in range(number):
        one = dice.choice(raw)
        match dice.randrange(8):
            case 0:  # bits
                bits = int.from_bytes(one, "big")
                for _ in range(dice.randint(1, 4)):
                    bits ^= 1 << dice.randrange(len(one) * 8)
                yield encode(bits.to_bytes(len(one), "big"))
            case 1:  # the head of one, the tags of another
                yield encode(one[: HEAD.size] + dice.choice(raw)[HEAD.size :])
            case 2:  # pieces, cut anywhere
                cut = dice.randrange(len(one))
                yield encode(one[:cut] + dice.choice(raw)[cut:])
            case 3:  # right but for the secret
                nonce = dice.randbytes(16)
                yield mint(STRANGE, visitor=VISITORS[0], now=NOW, nonce=nonce)
            case 4:  # tags that are guessed
                yield encode(one[: HEAD.size] + dice.randbytes(len(one) - HEAD.size))
            case 5:  # characters
                text, at = dice.choice(real), dice.randrange(len(real[0]))
                yield text[:at] + dice.choice(LETTERS + "+/= \n\x00") + text[at + 1 :]
            case 6:  # lengths
                text = dice.choice(real)
                yield text[: dice.randrange(len(text))] + "A" * dice.randrange(4)
            case _:  # one that is real, now and then for another form
                yield dice.choice(real)
