"""Post/Redirect/Get, sessions and flash messages for any Python web app.

Every form submission takes effect exactly once (modes joined and fenced), and every page may be
refreshed. The adapters are `seeother.asgi`, `seeother.starlette` and `seeother.sqlalchemy`; what is
here is the core that they share.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.policy import Policy as Policy
from .core.target import safe_target as safe_target
from .core.values import Draft as Draft
from .core.values import Flash as Flash
from .core.values import Outcome as Outcome
from .core.values import Receipt as Receipt
from .core.values import Request as Request
from .core.values import Response as Response
from .errors import BadForm as BadForm
from .errors import BadHost as BadHost
from .errors import BadToken as BadToken
from .errors import CrossSite as CrossSite
from .errors import PolicyError as PolicyError
from .errors import Refused as Refused
from .errors import SeeOtherError as SeeOtherError
from .errors import StaleToken as StaleToken
from .errors import StoreBusy as StoreBusy
from .errors import StoreDown as StoreDown
from .errors import StoreError as StoreError
from .errors import TooLarge as TooLarge
from .errors import UnsafeTarget as UnsafeTarget

if TYPE_CHECKING:
    from .core.html import FormTag as FormTag
    from .core.html import plant as plant

# For pages whose forms are sent by script (docs/scripts.md): serve it as any file of yours.
SCRIPT = Path(__file__).parent / "static" / "seeother.js"
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the planter where somebody names it: a third of what this import would cost."""
    if name in ("FormTag", "plant"):
        return getattr(import_module(".core.html", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
