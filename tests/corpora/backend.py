"""A build backend that builds nothing: what a source distribution is called stands in it already.

pip wants to know a package's name from its build backend before it keeps what it has fetched. This
module answers in the place of each, so that no code of the package runs and nothing is installed.
It is copied and read by pip's own process; it imports nothing of ours.
"""

import email
import shutil
import sys
from pathlib import Path
from typing import Any

__legacy__ = sys.modules[__name__]  # what a package without a pyproject.toml is built with


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Nothing (PEP 517)."""
    return []


def prepare_metadata_for_build_wheel(folder: str, config_settings: Any = None) -> str:
    """The metadata that the distribution brought, under the name that it must have (PEP 517)."""
    info = email.message_from_string(Path("PKG-INFO").read_text("utf-8"))
    name = f"{info['Name'].replace('-', '_')}-{info['Version']}.dist-info"
    (Path(folder) / name).mkdir()
    shutil.copy("PKG-INFO", Path(folder) / name / "METADATA")
    return name
