"""Folders in memory, for tests of processes and threads.

SIGKILL takes nothing from the kernel, and a race needs no disk: there only a power cut would be
different, and nobody cuts the power here. A disk would add thousands of waits.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SHARED: Final = Path("/dev/shm")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where the system has such a thing, else an ordinary one."""
    where = SHARED if os.access(SHARED, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as made:
        yield Path(made)
