"""What proves that a store is one: subclass `StoreContract`, and `StoreMachine` for the rest.

    class TestMine(StoreContract):
        def make(self, clock):
            return MyStore(clock=clock)

pytest then runs some fifty promises against `MyStore`, each a test whose docstring says what is
promised. `seeother.testing.machine.StoreMachine` (it needs Hypothesis) does thousands of random
steps with a store and with the model, and compares every answer.
"""

import pytest

# Before they are imported, so that their asserts say what they compared.
for _name in ("harness", "ledger", "endings", "receipts", "sessions"):
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from .contract import StoreContract as StoreContract  # noqa: E402
from .harness import FakeClock as FakeClock  # noqa: E402
