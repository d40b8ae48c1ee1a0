"""How many transactions SQLite committed, by its own books.

Every page that a transaction writes is a frame in the write-ahead log, and the last one of each
says that it is a commit (https://sqlite.org/fileformat2.html#walformat). So counting needs no hook
and sees every connection of every process. Frames of an older log that is being overwritten carry
other salts and do not count.
"""

from pathlib import Path
from struct import Struct

HEAD = Struct(">4I8s8s")  # magic, version, page size, checkpoint, salts, checksum
FRAME = Struct(">II8s8s")  # page, size of the database after a commit or 0, salts, checksum


def commits(database: Path) -> int:
    """Transactions in the write-ahead log, since it was last begun anew."""
    log = Path(f"{database}-wal").read_bytes()
    if len(log) < HEAD.size:
        return 0
    _, _, page, _, salts, _ = HEAD.unpack_from(log)
    found = 0
    for at in range(HEAD.size, len(log) - FRAME.size - page + 1, FRAME.size + page):
        _, committed, own, _ = FRAME.unpack_from(log, at)
        if own != salts:
            break
        found += committed > 0
    return found
