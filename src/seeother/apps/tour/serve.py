"""Making the tour ready to be served: its folder, its key, its hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...channel import App
from ...setup import key_file
from ...stores.sqlite import create_folder
from .app import create_tour

PREFIX: Final = "/tour"


def build(
    data: Path,
    *,
    hosts: tuple[str, ...],
    proxy_hops: int = 0,
    secret_file: str | None = None,
    board: str | None = None,
) -> App:
    """The tour under `/tour/`; everything it keeps stands in the folder `data`.

    `board` is the address of a message board beside it, for a link.
    """
    create_folder(data)
    secret = key_file(Path(secret_file or data / "tour.key"))
    return create_tour(
        data, secret=secret, prefix=PREFIX, hosts=hosts, proxy_hops=proxy_hops, board=board
    )
