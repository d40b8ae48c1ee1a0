"""What a person typed, as HTML that cannot hurt anybody who reads it.

A message is Markdown, and two independent nets hold it:

1. **The parser makes no markup of its own accord.** CommonMark with raw HTML off: a typed
   `<b>x</b>` shows as those characters. Links lead to http, https and mailto addresses, anything
   else stays as it was typed. Images, headings, rules and references are off, because a message
   is a remark and not a page.
2. **The sanitizer lets nothing else through.** nh3 parses the result as a browser does and keeps a
   short list of tags. If the first net ever tears, the second one holds.

Nothing that a person typed may vanish. Markdown can swallow text (a reference definition, `&amp;`
shown as `&`, a message that is one `>`, content nested too deep), so those rules are off, and a
message that would show nothing at all is shown as it was typed.
"""

import html
import re
import unicodedata
from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.token import Token

__all__ = ["TAGS", "excerpt", "render", "visible"]

TAGS = frozenset({"p", "br", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "a"})
REL = "nofollow ugc noopener noreferrer"
SCHEMES = ("http", "https", "mailto")
DEPTH = 12  # quotes and lists nested deeper than this are shown as typed
# A bound on the parser's recursion, out of reach of DEPTH: beyond it blocks are dropped.
MAX_NESTING = DEPTH + 8
_OFF = ("heading", "lheading", "hr", "html_block", "reference", "html_inline", "image", "entity")
# `5.` must not be shown as `1.`; the empty set keeps out nh3's own general list (lang, title).
_ATTRIBUTES: dict[str, set[str]] = {"a": {"href"}, "ol": {"start"}, "*": set()}
_ABSOLUTE = re.compile(rf"(?:{'|'.join(SCHEMES)}):", re.IGNORECASE)
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})


def _link_is_allowed(url: str) -> bool:
    """Relative addresses are refused too: `[free](/logout)` would borrow the board's good name."""
    return _ABSOLUTE.match(url) is not None


def _flatten(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Whatever is nested too deep is an ordinary paragraph (the parser itself would drop it)."""
    return state.level >= DEPTH and paragraph(state, start, end, silent)


def _parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "linkify": False, "maxNesting": MAX_NESTING}
    parser = MarkdownIt("commonmark", options).disable(_OFF)
    parser.block.ruler.before("code", "flatten", _flatten)
    parser.validateLink = _link_is_allowed  # type: ignore[method-assign]
    return parser


_MARKDOWN = _parser()


def render(text: str) -> str:
    """Render a message as safe HTML.

    Args:
        text: what was typed; CRLF, CR and LF are line breaks.

    Returns:
        Block-level HTML with tags of `TAGS` only. Apostrophes and quotation marks stay readable.

    >>> render("Don't *panic*")
    "<p>Don't <em>panic</em></p>"
    >>> render("<b>x</b> & [y](/logout)")
    '<p>&lt;b&gt;x&lt;/b&gt; &amp; [y](/logout)</p>'
    """
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent to anybody
    tokens = _MARKDOWN.parse(text)
    _name_empty_links(tokens)
    safe = _sanitize(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})).rstrip()
    shown = visible(_words(safe)) or not visible(text)
    return safe if shown else _as_typed(text)


def excerpt(text: str, length: int) -> str:
    """Return the message's words on one line, without markup, for titles.

    Args:
        text: what was typed.
        length: the most code points to return, the ellipsis included; at least 1.

    Returns:
        Plain text, not yet escaped; cut at a space where there is one in the second half.

    >>> excerpt("A **bold** claim\\n\\nand a second line", 20)
    'A bold claim and a…'
    """
    line = " ".join(_BIDI.sub("", _words(render(text))).split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    space = cut.rfind(" ")
    if line[length - 1] != " " and space > length // 2:
        cut = cut[:space]
    return cut.rstrip(" ,;:.\u200d") + "…"


def visible(text: str) -> bool:
    """Tell whether a reader would see anything: spaces, controls and joiners alone are nothing.

    >>> visible("\\u200b \\n"), visible("👍")
    (False, True)
    """
    return any(unicodedata.category(character) not in _INVISIBLE for character in text)


def _sanitize(markup: str) -> str:
    return nh3.clean(
        markup,
        tags=set(TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=_only_absolute,
        url_schemes=set(SCHEMES),
        set_tag_attribute_values={"pre": {"tabindex": "0"}},  # long lines scroll, by keyboard too
        link_rel=REL,
    )


def _only_absolute(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" or _link_is_allowed(value) else None


def _name_empty_links(tokens: Sequence[Token]) -> None:
    """`[](https://a.example)` is a link that nobody can see or hear: its address is its name."""
    for block in tokens:
        children = block.children or []
        for at in range(len(children) - 2, -1, -1):
            if children[at].type == "link_open":
                _name_link(children, at)


def _name_link(children: list[Token], at: int) -> None:
    address = str(children[at].attrGet("href"))
    first, second = children[at + 1], children[at + 2 : at + 3]
    if first.type == "link_close":
        children.insert(at + 1, Token("text", "", 0, content=address))
    elif first.type == "text" and second[0].type == "link_close" and not visible(first.content):
        first.content = address


def _words(markup: str) -> str:
    return html.unescape(nh3.clean(markup, tags=set()))


def _as_typed(text: str) -> str:
    lines = html.escape(text, quote=False).strip().splitlines()
    return "<p>" + "<br>\n".join(lines) + "</p>"
