"""The cookies of one browser, shared by all its tabs (RFC 6265bis, as far as one host needs it)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

LARGEST: Final = 4096  # octets of name and value together; a larger cookie is ignored (5.7)


@dataclass
class Jar:
    """Names, paths and values; `ignored` counts the cookies that were too large to be kept."""

    ignored: int = 0
    _kept: dict[tuple[str, str], str] = field(default_factory=dict)

    def keep(self, line: str) -> None:
        """One Set-Cookie field."""
        pair, *rest = line.split(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        about = {k.strip().lower(): v.strip() for k, _, v in (one.partition("=") for one in rest)}
        key = name, about.get("path") or "/"
        if len(name.encode("latin-1")) + len(value.encode("latin-1")) > LARGEST:
            self.ignored += 1
        elif _expired(about):
            self._kept.pop(key, None)
        else:
            self._kept[key] = value

    def field(self, path: str) -> list[tuple[str, str]]:
        """The Cookie field for a request to this path, longer paths first; none without cookies."""
        sent = [(where, name) for name, where in self._kept if _matches(path, where)]
        ordered = sorted(sent, key=lambda one: -len(one[0]))
        pairs = [f"{name}={self._kept[name, where]}" for where, name in ordered]
        return [("Cookie", "; ".join(pairs))] if pairs else []


def _expired(about: dict[str, str]) -> bool:
    """Max-Age goes before Expires."""
    if "max-age" in about:
        return int(about["max-age"]) <= 0
    if "expires" in about:
        return parsedate_to_datetime(about["expires"]).timestamp() <= time.time()
    return False


def _matches(path: str, cookie: str) -> bool:
    return path == cookie or (
        path.startswith(cookie) and (cookie[-1] == "/" or path[len(cookie)] == "/")
    )
