"""What proves that an adapter is one: subclass `AdapterContract` and say how an app is served.

    class TestMine(AdapterContract):
        mode = "separate"

        def client(self, stage):
            return WSGIClient(MyAdapter(app_of(stage.behaviour), **stage.settings))

A *behaviour* is a view in no framework's words: a function that gets a `Call` and returns a
response. Whoever writes an adapter translates it once into an app of that framework, and then some
ninety promises are kept or broken over HTTP, in this process.
"""

import pytest

# Before they are imported, so that their asserts say what they compared.
for _name in (
    "submissions",
    "visits",
    "pages",
    "refusals",
    "stored",
    "people",
    "compressed",
    "alone",
    "quiet",
):
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from .asgi import ASGIClient as ASGIClient  # noqa: E402
from .browser import Browser as Browser  # noqa: E402
from .contract import AdapterContract as AdapterContract  # noqa: E402
from .contract import WrappingContract as WrappingContract  # noqa: E402
from .contract import ZeroCodeContract as ZeroCodeContract  # noqa: E402
from .stage import Call as Call  # noqa: E402
from .stage import Client as Client  # noqa: E402
from .stage import Effects as Effects  # noqa: E402
from .stage import Stage as Stage  # noqa: E402
from .stage import Streamed as Streamed  # noqa: E402
from .wsgi import WSGIClient as WSGIClient  # noqa: E402
