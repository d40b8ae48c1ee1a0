"""Documents made by chance: forms among all that is near forms in bad markup.

Three families. *Plain* ones are words thrown together: tags, halves of tags, quotes, comments, raw
text, templates. *Wild* ones have SVG, MathML, `<noscript>` and `<select>` among the words, where a
page may be left alone but no field may go astray. *Tidy* ones have all of that, well nested: there
every form gets its field. The same seed makes the same documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Final

from tests.core.test_html import COMMON, ISLANDS, NOSCRIPT, TEMPLATES

_FORMS: Final = ("<form method=post>", "</form>", "<form method=post action=/x>", "<form>")
_SELECT: Final = "<select>|</select>|<option>|</option>|<input>|<optgroup>|<hr>|<button>|</button>"
_SHADOW: Final = "<template shadowrootmode=open>|</template>"


def _words(*vocabularies: str) -> tuple[str, ...]:
    found = re.split(r"[|\n]", "|".join(vocabularies))
    return tuple(word for word in found if "//b" not in word)  # foreign forms have tests of theirs


PLAIN: Final = _words(COMMON, TEMPLATES, _SHADOW)
WILD: Final = _words(COMMON, TEMPLATES, ISLANDS, NOSCRIPT, _SELECT)

_IN_NOSCRIPT: Final = "<noscript><form method=post></form></noscript>"
# What may stand in what, well nested; `*` is any of FLOW.
_TIDY: Final = {
    "flow": (
        *("form", "form", "<p>x</p>", "<!-- <form method=post> -->", "<script>'<form>'</script>"),
        *("<div>*</div>", "<template>*</template>", "<textarea><form></textarea>", "text &lt;"),
        *("<svg>%</svg>", "<math><mi>x</mi><mtext>*</mtext></math>", "<img alt='</form>'>"),
        *("<noscript><p>x</p></noscript>", "<select><option>a<option>b</select>", "<svg/>"),
        *("<table><tr><td>*</td></tr></table>", "<ul><li>*</li></ul>", "<style>a>b{}</style>"),
        *("<title><form method=post></title>", _IN_NOSCRIPT),
    ),
    "svg": (
        *("<path d='M0'/>", "<g>%</g>", "<title>t</title>", "<style><!--</form>--></style>", ""),
        *("<![CDATA[</form><form method=post>]]>", "<foreignObject><div>*</div></foreignObject>"),
        *("<desc>d</desc>", "<script>0</script>", "<image href=x />", "<form method=post></form>"),
    ),
}
DEPTH: Final = 4


def plain(chance: Random) -> str:
    """Words of no island, with forms more often than the rest."""
    return _thrown(chance, PLAIN)


def wild(chance: Random) -> str:
    """Any words."""
    return _thrown(chance, WILD)


def tidy(chance: Random) -> str:
    """Well-nested markup."""
    return "".join(_tidy(chance, "flow", DEPTH, in_form=False) for _ in range(5))


def _thrown(chance: Random, words: tuple[str, ...]) -> str:
    length = chance.randrange(1, 16)
    return "".join(
        chance.choice(_FORMS if chance.random() < 0.35 else words) for _ in range(length)
    )


def _tidy(chance: Random, kind: str, depth: int, *, in_form: bool) -> str:
    found = chance.choice(_TIDY[kind])
    if found == "form":
        inside = _tidy(chance, "flow", depth - 1, in_form=True) if depth and not in_form else ""
        return "" if in_form else f"<form method=post>{inside}<button>x</button></form>"
    if found == _IN_NOSCRIPT and in_form:
        return ""
    if "*" not in found and "%" not in found:
        return found
    if not depth:
        return ""
    mark, inner = ("*", "flow") if "*" in found else ("%", "svg")
    return found.replace(mark, _tidy(chance, inner, depth - 1, in_form=in_form))


FAMILIES: Final = {"plain": plain, "wild": wild, "tidy": tidy}


def documents(family: str, seed: int, number: int) -> Iterator[bytes]:
    """So many documents of a family."""
    chance, make = Random(f"{family} {seed}"), FAMILIES[family]
    for _ in range(number):
        yield make(chance).encode()
