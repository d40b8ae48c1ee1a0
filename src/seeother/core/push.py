"""The multipart library, whole.

Beside `python-multipart` (Starlette brings it) the name `multipart` leads to a shim of that one,
which finds the library by itself and shows it to other threads before it has been executed. Whoever
imports this module waits for it as for any other: its import lock is the interpreter's.
"""

from importlib import import_module
from typing import Any, Final

LIBRARY: Final[Any] = import_module("multipart")
