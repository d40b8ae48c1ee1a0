"""The token: minting one for a form, and checking one that comes back (two tags)."""

import os
import time
from collections.abc import Iterator

from seeother.core.token import mint, verify
from tests.bench.measure import Contestant, Scale, interleaved, spent
from tests.bench.report import Line
from tests.bench.submissions import POLICY, VISITOR


def lines(scale: Scale) -> Iterator[Line]:
    """P12."""
    ring, now = POLICY.ring, time.time()

    def made(nonce: bytes) -> str:
        return mint(ring, visitor=VISITOR, now=now, nonce=nonce, had_headers=True)

    def checked(token: str) -> bool:
        return verify(ring, token, now=now, max_age=3600).belongs_to(VISITOR)

    def nonces(count: int) -> list[bytes]:
        return [os.urandom(16) for _ in range(count)]

    f = interleaved(
        {
            "mint": Contestant(made, nonces),
            "check": Contestant(checked, lambda n: [made(nonce) for nonce in nonces(n)]),
        },
        rounds=scale.rounds,
        block=5 * scale.block,
    )
    assert checked(made(b"n" * 16))
    yield Line.of("P12", "token: mint, CPU", spent(f["mint"]), "us", 3)
    yield Line.of("P12", "token: check both tags, CPU", spent(f["check"]), "us", 3)
