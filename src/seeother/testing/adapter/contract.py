"""The contract of an adapter: all promises in one class."""

from .pages import PagePromises
from .refusals import RefusalPromises
from .submissions import SubmissionPromises
from .visits import VisitPromises


class AdapterContract(SubmissionPromises, VisitPromises, PagePromises, RefusalPromises):
    """What every adapter promises; subclass it, set `mode`, and override `client`."""
