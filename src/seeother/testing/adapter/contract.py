"""The contracts of adapters: all promises in one class, and those of zero-code on top."""

from .alone import AlonePromises, AloneUnclaimedPromises
from .compressed import CompressedPromises
from .pages import PagePromises
from .people import PeoplePromises
from .quiet import QuietPromises
from .refusals import RefusalPromises
from .scripts import ScriptPromises
from .stored import StoredPromises
from .submissions import SubmissionPromises
from .visits import VisitPromises


class AdapterContract(
    SubmissionPromises,
    VisitPromises,
    PagePromises,
    RefusalPromises,
    QuietPromises,
    ScriptPromises,
):
    """What every adapter promises; subclass it, set `mode`, and override `client`."""


class WrappingContract(AdapterContract, CompressedPromises, AlonePromises):
    """And what one promises that stands around the app, so that every byte passes through it."""


class ZeroCodeContract(WrappingContract, AloneUnclaimedPromises, StoredPromises, PeoplePromises):
    """And what one promises that stands around apps which know nothing of it (mode separate)."""
