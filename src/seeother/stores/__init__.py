"""Stores: the only memory. `open_store(url)` finds one by its URL."""

from .base import Joinable as Joinable
from .base import Store as Store
from .base import Transaction as Transaction
from .base import open_store as open_store
