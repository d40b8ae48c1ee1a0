"""What is open belongs to one process: opened at its first use there, and never shared by a fork.

A child has the sockets and files of its parent, and must not speak on them, nor close them in a way
that the other end would notice. So it keeps them as they are, and opens its own.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar


class Process(Protocol):
    """What is open in one process."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...


P = TypeVar("P", bound=Process)


class Here(ABC, Generic[P]):
    """Whatever has something open in each process."""

    def _none_open(self) -> None:
        """Nothing is yet."""
        self._process: P | None = None
        self._inherited: list[P] = []
        # One lock per process: a child must not wait for a thread that it did not inherit.
        self._opening: dict[int, threading.Lock] = {}

    def here(self) -> P:
        """What is open in this very process."""
        process, pid = self._process, os.getpid()
        if process is not None and process.pid == pid:
            return process
        with self._opening.setdefault(pid, threading.Lock()):
            process = self._process
            if process is None or process.pid != pid:
                if process is not None:
                    self._inherited.append(process)
                process = self._process = self._opened(pid)
            return process

    def prepare(self) -> None:
        """Open and create everything now; raises StoreDown where that cannot be."""
        self.here()

    def _leave(self) -> P | None:
        """What is to be closed in this process; whoever asks next opens it anew."""
        process, self._process = self._process, None
        return process if process is not None and process.pid == os.getpid() else None

    @abstractmethod
    def _opened(self, pid: int) -> P:
        """Open everything. Raises StoreDown."""
