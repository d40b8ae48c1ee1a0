"""The contract of a store: all promises in one class."""

from .endings import EndingPromises
from .ledger import LedgerPromises
from .receipts import ReceiptPromises
from .sessions import SessionPromises


class StoreContract(LedgerPromises, EndingPromises, ReceiptPromises, SessionPromises):
    """What every store promises; subclass it and override `make` (durable ones: `reopen` too)."""
