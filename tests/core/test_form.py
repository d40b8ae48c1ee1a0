"""Form bodies: what is read, what is refused, and what the fingerprint's encoding promises."""

import hashlib
import subprocess
import sys
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seeother.core.form import (
    Field,
    Form,
    Item,
    Limits,
    Parsed,
    Upload,
    canonical_bytes,
    parse_multipart,
    parse_urlencoded,
    read_form,
)
from seeother.errors import BadForm, SeeOtherError, TooLarge, UnsupportedForm

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def upload(name: bytes, filename: bytes, data: bytes, kind: str = "text/plain") -> Upload:
    """An upload with the size and the digest of its data."""
    return Upload(name, filename, kind, len(data), hashlib.sha256(data).digest(), data)


def as_browser(items: list[Item], boundary: bytes = b"b") -> bytes:
    """What a browser sends for these items (HTML, "multipart/form-data encoding algorithm")."""

    def escaped(raw: bytes) -> bytes:
        return raw.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")

    body = b""
    for item in items:
        body += b'--%b\r\nContent-Disposition: form-data; name="%b"' % (
            boundary,
            escaped(item.name),
        )
        if isinstance(item, Upload):
            body += b'; filename="%b"\r\nContent-Type: %b' % (
                escaped(item.filename),
                item.content_type.encode(),
            )
        body += b"\r\n\r\n" + (item.data if isinstance(item, Upload) else item.value) + b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


def part(*headers: bytes, data: bytes = b"1") -> bytes:
    """A multipart body of one part with these header lines."""
    return b"--b\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + data + b"\r\n--b--\r\n"


# --- urlencoded -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        (b"", []),
        (b"a=1&b=2", [(b"a", b"1"), (b"b", b"2")]),
        (b"b=2&a=1&b=1", [(b"b", b"2"), (b"a", b"1"), (b"b", b"1")]),
        (b"a=1+2", [(b"a", b"1 2")]),
        (b"a=1%2B2", [(b"a", b"1+2")]),
        (b"a+b=1", [(b"a b", b"1")]),
        (b"a=%zz", [(b"a", b"%zz")]),
        (b"a=%", [(b"a", b"%")]),
        (b"a=%4", [(b"a", b"%4")]),
        (b"a=%%41", [(b"a", b"%A")]),
        (b"a=%FF", [(b"a", b"\xff")]),
        (b"a=\xff", [(b"a", b"\xff")]),
        (b"a=%00", [(b"a", b"\0")]),
        (b"a=b=c", [(b"a", b"b=c")]),
        (b"a", [(b"a", b"")]),
        (b"=a", [(b"", b"a")]),
        (b"&&a=1&", [(b"a", b"1")]),
        (b"a=1;b=2", [(b"a", b"1;b=2")]),
        (b"a=%0D%0A", [(b"a", b"\r\n")]),
    ],
)
def test_urlencoded_is_read_as_browsers_do(body: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    """Order, duplicates, plus signs, broken escapes and bytes are read as WHATWG says."""
    assert [(f.name, f.value) for f in parse_urlencoded(body, max_fields=9)] == pairs


@given(st.lists(st.tuples(st.binary(min_size=1), st.binary())))
def test_urlencoded_round_trips(pairs: list[tuple[bytes, bytes]]) -> None:
    """Every list of byte pairs comes back in order, and its encoding is canonical."""
    parsed = read_form(URLENCODED, urlencode(pairs).encode())
    assert [(f.name, f.value) for f in parsed.items if isinstance(f, Field)] == pairs
    assert parsed.canonical


@given(st.text(alphabet="%4", max_size=30), st.integers(1, 5))
def test_escapes_are_never_cut_in_two(text: str, shift: int) -> None:
    """A value longer than one decoding step is decoded as if in one."""
    raw = b"x" * ((1 << 16) - shift) + text.encode() + b"%41"
    [field] = parse_urlencoded(b"a=" + raw, max_fields=1)
    assert field.value == b"x" * ((1 << 16) - shift) + unescape_slowly(text.encode() + b"%41")


def unescape_slowly(raw: bytes) -> bytes:
    """Percent escapes undone one byte at a time: the judge of the fast way."""
    out, at = bytearray(), 0
    while at < len(raw):
        digits = raw[at + 1 : at + 3]
        escape = raw[at] == 0x25 and len(digits) == 2 and digits.isalnum()
        out.append(int(digits, 16) if escape else raw[at])
        at += 3 if escape else 1
    return bytes(out)


def test_too_many_pairs_are_too_large() -> None:
    """The limit holds for pairs and for empty pairs, and exactly `max_fields` pass."""
    assert len(parse_urlencoded(b"a=1&b=2", max_fields=2)) == 2
    for body in (b"a=1&b=2&c=3", b"&&&&&"):
        with pytest.raises(TooLarge):
            parse_urlencoded(body, max_fields=2)


@pytest.mark.parametrize(
    "body", [b"a", b"a=1&b", b"=1", b"a=%zz", b"a=\xff", b"a=1;b=2", b"a=1&&b=2", b"a=1&", b"a=\n"]
)
def test_what_parsers_read_differently_is_not_canonical(body: bytes) -> None:
    """A body that some parser reads otherwise is read, but its bytes stand for it."""
    assert not read_form(URLENCODED, body).canonical


@pytest.mark.parametrize("body", [b"", b"a=1", b"a=", b"a=%C3%A9&b=it's ~*()", b"a=b=c&a=x@y.z"])
def test_plain_bodies_are_canonical(body: bytes) -> None:
    """What browsers and plain clients send is represented by its pairs."""
    assert read_form(URLENCODED, body).canonical


# --- content types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        URLENCODED,
        "Application/X-WWW-Form-URLencoded",
        URLENCODED + ";charset=UTF-8",
        URLENCODED + '; charset="utf-8"',
        URLENCODED + "; charset=utf8;",
    ],
)
def test_spellings_of_urlencoded_are_known(header: str) -> None:
    """Case, quotes and a UTF-8 charset make no difference."""
    assert read_form(header, b"a=1").items == (Field(b"a", b"1"),)


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("", UnsupportedForm),
        ("text/plain", UnsupportedForm),
        ("application/json", UnsupportedForm),
        ("multipart/mixed; boundary=b", UnsupportedForm),
        ("form", UnsupportedForm),
        (URLENCODED + "; charset=latin-1", UnsupportedForm),
        (URLENCODED + "; charset=utf-8; Charset=utf-16", BadForm),
        (URLENCODED + "; charset", BadForm),
        (URLENCODED + " x", BadForm),
        ("multipart/form-data", BadForm),
        ("multipart/form-data; boundary=", BadForm),
        ('multipart/form-data; boundary="b "', BadForm),
        ('multipart/form-data; boundary="b\r\n"', BadForm),
        ('multipart/form-data; boundary="é"', BadForm),
        ("multipart/form-data; boundary=" + "b" * 71, BadForm),
        ("multipart/form-data; boundary=b; boundary=c", BadForm),
    ],
)
def test_other_types_are_refused(header: str, refusal: type[SeeOtherError]) -> None:
    """What is no form, or is declared in two ways, is refused before it is read."""
    with pytest.raises(refusal):
        read_form(header, as_browser([Field(b"a", b"1")]))


def test_no_type_and_no_body_is_an_empty_form() -> None:
    """A bare POST without a body has nothing to misread."""
    assert read_form("", b"") == Parsed((), canonical=True)


def test_quoted_boundaries_are_unquoted() -> None:
    """A boundary may be quoted, with escapes."""
    body = as_browser([Field(b"a", b"1")], b"b:c")
    header = r'multipart/form-data; charset=utf-8; boundary="b\:c"'
    assert read_form(header, body) == Parsed((Field(b"a", b"1"),), canonical=True)


# --- multipart ------------------------------------------------------------------------------

EMPTY_INPUT = upload(b"file", b"", b"", "application/octet-stream")


@pytest.mark.parametrize(
    "items",
    [
        [],
        [Field(b"a", b"1"), Field(b"a", b""), Field(b"", b"2")],
        [Field("é".encode(), "ü\r\n--c".encode()), Field(b"bytes", b"\xff\xfe")],
        [Field(b'q"r\r\ns', b"1"), upload(b"f", b'a"b\n.txt', b"\0\r\n--\r\n")],
        [upload(b"f", b"a;b=c\\.txt", b"--c--"), EMPTY_INPUT, Field(b"back\\", b"slash")],
        [upload(b"f", b"a.txt", b"1", "text/plain; charset=utf-16"), Field(b"_charset_", b"x")],
    ],
)
def test_browser_bodies_are_read_and_canonical(items: list[Item]) -> None:
    """The shape that browsers send is read without loss and recognised as such."""
    assert read_form(MULTIPART, as_browser(items)) == Parsed(tuple(items), canonical=True)


DISPOSITION = b'Content-Disposition: form-data; name="a"'
GOOD = part(DISPOSITION)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk\r\n" + GOOD,
        b"\r\n" + GOOD,
        b"junk" + GOOD,
        GOOD + b"junk",
        GOOD + b"\r\n",
        GOOD + GOOD,
        GOOD[:-4] + b" \r\n",
        GOOD[:-4],
        GOOD[:-8],
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.replace(b"--b\r\n", b"--b \r\n"),
        GOOD.replace(b"--b\r\n", b"--bb\r\n"),
        part(b"Content-Type: text/plain"),
        part(b"Content-Disposition: form-data"),
        part(b"Content-Disposition: attachment; name=a"),
        part(DISPOSITION, DISPOSITION),
        part(DISPOSITION, b'content-disposition: form-data; name="b"'),
        part(DISPOSITION + b'; name="b"'),
        part(DISPOSITION + b"; NAME=b"),
        part(DISPOSITION + b"; filename*=utf-8''x.txt"),
        part(b"Content-Disposition: form-data; name*=utf-8''a"),
        part(DISPOSITION + b"; filename=x y"),
        part(DISPOSITION + b" junk"),
        part(b'Content-Disposition: form-data;\r\n name="a"'),
        part(b'Content-Disposition: form-data; name="\xff"'),
        part(b'Content-Disposition: form-data; name="a\nb"'),
        part(b'Content-Disposition: form-data; name="a\0b"'),
        part(DISPOSITION, b"Content-Transfer-Encoding: base64"),
        part(DISPOSITION, b"Content-Transfer-Encoding: quoted-printable"),
        part(DISPOSITION, b"Content-Type: text/plain; charset=utf-16"),
        part(DISPOSITION, b"Content-Length: 7"),
        part(DISPOSITION, b"no colon"),
        part(DISPOSITION, b"--b--: x"),
        part(DISPOSITION, data=b"--b--"),
        part(DISPOSITION, data=b"--b"),
        part(DISPOSITION, data=b"--b\r\n"),
    ],
)
def test_what_two_parsers_read_in_two_ways_is_bad(body: bytes) -> None:
    """Junk, cuts, doubled headers and parameters, foreign encodings are refused with 400."""
    with pytest.raises(BadForm) as refused:
        read_form(MULTIPART, body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        GOOD[:-2],
        part(DISPOSITION, b"Content-Type: text/plain; charset=utf-8"),
        part(DISPOSITION, b"Content-Transfer-Encoding: binary"),
        part(DISPOSITION, b"Content-Length: 1"),
        part(b'content-disposition: form-data; name="a"'),
        part(b"Content-Disposition: form-data; name=a"),
        part(b'Content-Disposition: form-data;name="a"'),
        part(b'Content-Disposition:   form-data; name="a"'),
        part(b'Content-Disposition: Form-Data; size="1"; name="a"'),
    ],
)
def test_other_clients_are_read_but_not_canonical(body: bytes) -> None:
    """A clear body of another shape is read; only its bytes may stand for it."""
    assert read_form(MULTIPART, body) == Parsed((Field(b"a", b"1"),), canonical=False)


@pytest.mark.parametrize("data", [b"x\n--b\r\nmore", b"x--b", b"x--b--"])
def test_a_boundary_inside_a_part_is_no_browsers(data: bytes) -> None:
    """A browser's boundary occurs nowhere else; a parser that takes LF for CRLF would split there.

    So the same items under another boundary have another fingerprint.
    """
    items: list[Item] = [upload(b"a", b"f.txt", b"1", "image/--b"), Field(b"a", data)]
    for part_of in (items[:1], items[1:]):
        assert not read_form(MULTIPART, as_browser([*part_of])).canonical
        other = read_form("multipart/form-data; boundary=c", as_browser([*part_of], b"c"))
        assert other == Parsed(tuple(part_of), canonical=True)


def test_a_plain_filename_beside_an_extended_one_is_a_file() -> None:
    """Clients that send both `filename` and `filename*` are read by the plain one."""
    parsed = read_form(MULTIPART, part(DISPOSITION + b"; filename=x; filename*=utf-8''y"))
    assert parsed == Parsed((upload(b"a", b"x", b"1"),), canonical=False)


@pytest.mark.parametrize(
    ("items", "limits"),
    [
        ([Field(b"a", b"1")] * 3, Limits(max_fields=2)),
        ([EMPTY_INPUT] * 3, Limits(max_files=2)),
        ([Field(b"a" * 200, b"")], Limits(max_part_header=199)),
        ([upload(b"a" * 150, b"f", b"", "x" * 150)], Limits(max_part_header=299)),
    ],
)
def test_limits_are_too_large(items: list[Item], limits: Limits) -> None:
    """Too many fields, too many files and long part headers are refused with 413."""
    assert read_form(MULTIPART, as_browser(items)).canonical
    with pytest.raises(TooLarge):
        read_form(MULTIPART, as_browser(items), limits)


@given(st.binary(max_size=80) | st.text('-b\r\n:;=" aContent-Disposition', max_size=80))
@example('--b\r\nContent-Disposition: form-data; name="a\\"\r\n\r\n\r\n--b--')
def test_damage_never_surprises(junk: bytes | str) -> None:
    """Whatever arrives is read or refused by one of the errors; nothing else is ever raised."""
    raw = junk if isinstance(junk, bytes) else junk.encode()
    bodies = (raw, part(raw), part(DISPOSITION, raw), part(DISPOSITION + raw), GOOD + raw)
    for body in bodies:
        try:
            read_form(MULTIPART, body)
        except (BadForm, TooLarge):
            continue


def test_the_first_bodies_may_come_together() -> None:
    """Eight threads read the first multipart bodies of a process: the library is whole for all.

    The name `multipart` may lead to a shim that shows a module before it has been executed.
    """
    code = """
import sys, threading
from seeother.core.form import read_form
body = b'--b\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1\\r\\n--b--\\r\\n'
gate, read = threading.Barrier(8), []
def go():
    gate.wait()
    read.append(read_form("multipart/form-data; boundary=b", body))
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=go) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(read))
"""
    for _ in range(3):
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        assert run.stdout == "8\n", run.stderr


def test_the_multipart_library_waits_for_the_first_body() -> None:
    """Importing the module and reading an urlencoded form do not load the library."""
    code = (
        "import sys; from seeother.core.form import read_form;"
        f"read_form({URLENCODED!r}, b'a=1'); sys.exit('multipart' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- Form -----------------------------------------------------------------------------------


def test_form_is_a_mapping_of_first_values() -> None:
    """The first value wins, all of them are there in order, a missing name is a KeyError."""
    form = Form((Field(b"b", b"1"), Field(b"a", "é".encode()), Field(b"b", b"2")))
    assert dict(form) == {"b": "1", "a": "é"}
    assert list(form) == ["b", "a"]
    assert form.getlist("b") == ["1", "2"]
    assert form.getlist("c") == []
    assert form.pairs() == (("b", "1"), ("a", "é"), ("b", "2"))
    assert form.get("c") is None
    assert "c" not in form
    with pytest.raises(KeyError):
        form["c"]


def test_form_normalises_line_ends() -> None:
    r"""A person's line break is "\n", whatever the browser sent."""
    assert Form((Field(b"a", b"1\r\n2\n3"),))["a"] == "1\n2\n3"


def test_form_keeps_files_apart() -> None:
    """Uploads are found by field name; an empty file input is no file."""
    one, two = upload(b"f", b"1.txt", b"1"), upload(b"f", b"2.txt", b"")
    form = Form((one, EMPTY_INPUT, Field(b"a", b"1"), two))
    assert dict(form.files) == {"f": [one, two]}
    assert len(form) == 1


@pytest.mark.parametrize("field", [Field(b"\xff", b"secret"), Field(b"a", b"secret\xff")])
def test_form_says_where_never_what(field: Field) -> None:
    """What is not UTF-8 is refused by the number of its field; the value is not told."""
    with pytest.raises(BadForm, match="field 2") as refused:
        Form((Field(b"a", b"1"), field))
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_form_shows_no_values() -> None:
    """Printing a form into a log tells nothing of what was typed."""
    assert repr(Form((Field(b"a", b"secret"),))) == "<Form with 1 fields, 0 file fields>"


# --- canonical bytes ------------------------------------------------------------------------


def encode(
    items: tuple[Item, ...],
    *,
    canonical: bool = True,
    raw: bytes = b"",
    ignore: tuple[str, ...] = (),
) -> bytes:
    """The encoding of these items in one fixed request."""
    return canonical_bytes("POST", "/p", b"q=1", Parsed(items, canonical), raw, ignore)


text = st.binary(max_size=6).filter(lambda raw: b"\r\n" not in raw) | st.sampled_from(
    [b"x", b"y", b"n.x", b"n.y", b"1", b"-2", b"field", b"click"]
)
fields = st.builds(Field, text, text)
uploads = st.builds(upload, text, text, text)
bodies = st.lists(fields | uploads, max_size=4).map(tuple)


def essence(items: tuple[Item, ...]) -> list[object]:
    """What the encoding must tell apart, said in other words: a click loses its coordinates."""
    told: list[object] = []
    rest = list(items)
    while rest:
        item = rest.pop(0)
        y = rest[0] if rest else None
        if isinstance(item, Upload):
            told.append(("file", item.name, item.filename, item.data))
        elif isinstance(y, Field) and is_click(item, y):
            rest.pop(0)
            told.append(("click", item.name))
        else:
            told.append(("field", item.name, item.value))
    return told


def is_click(x: Field, y: Field) -> bool:
    """Whether these two are the coordinates of one click."""
    names = {(b"x", b"y"), (b"n.x", b"n.y")}
    integers = all(f.value.removeprefix(b"-").isdigit() for f in (x, y))
    return (x.name, y.name) in names and integers


@given(bodies, bodies)
@example((Field(b"a", b"bc"),), (Field(b"ab", b"c"),))
@example((Field(b"a", b""), Field(b"", b"b")), (Field(b"a", b"b"),))
@example((Field(b"x", b"1"), Field(b"y", b"1")), (Field(b"x", b"2"), Field(b"y", b"1")))
@example((Field(b"n.x", b"1"), Field(b"n.y", b"1")), (Field(b"x", b"2"), Field(b"y", b"1")))
def test_equal_bytes_mean_equal_input(one: tuple[Item, ...], two: tuple[Item, ...]) -> None:
    """The encoding is injective: it is equal exactly where what counts is equal."""
    assert (encode(one) == encode(two)) == (essence(one) == essence(two))


@given(st.lists(text, min_size=3, max_size=3), st.lists(text, min_size=3, max_size=3))
def test_method_path_and_query_count(one: list[bytes], two: list[bytes]) -> None:
    """Another method, path or query is another input, wherever the border between them lies."""

    def of(parts: list[bytes]) -> bytes:
        return canonical_bytes(parts[0].hex(), parts[1], parts[2], Parsed((), True), b"", ())

    assert (of(one) == of(two)) == (one == two)


@given(bodies, st.from_regex(rb"[0-9A-Za-z-]{1,60}", fullmatch=True))
def test_boundaries_do_not_show(items: tuple[Item, ...], boundary: bytes) -> None:
    """The same input under another boundary is the same input."""
    texts: list[Item] = [
        upload(item.name.hex().encode(), item.filename.hex().encode(), item.data)
        if isinstance(item, Upload)
        else Field(item.name.hex().encode(), item.value)
        for item in items
    ]
    boundary = b"=seldom=" + boundary  # no part may hold its own delimiter
    parsed = parse_multipart(
        as_browser(texts, boundary), boundary, max_fields=9, max_files=9, max_part_header=999
    )
    assert parsed == Parsed(tuple(texts), canonical=True)
    assert encode(parsed.items) == encode(tuple(texts))


def test_urlencoded_and_multipart_agree() -> None:
    """The same pairs are the same input in both encodings."""
    pairs: list[Item] = [Field(b"a", b"1\r\n2"), Field(b"b", b"\xff")]
    body = "&".join(
        f"{quote_plus(f.name)}={quote_plus(f.value)}" for f in pairs if isinstance(f, Field)
    )
    one, two = read_form(URLENCODED, body.encode()), read_form(MULTIPART, as_browser(pairs))
    assert encode(one.items) == encode(two.items)


def test_line_ends_do_not_count() -> None:
    """CRLF and LF in names, values and filenames are one line end; a lone CR is not."""
    crlf = (Field(b"a\r\nb", b"1\r\n"), upload(b"f\r\n", b"x\r\ny", b"1"))
    lf = (Field(b"a\nb", b"1\n"), upload(b"f\n", b"x\ny", b"1"))
    assert encode(crlf) == encode(lf)
    assert encode((Field(b"a", b"\r"),)) != encode((Field(b"a", b"\n"),))


def test_ignored_fields_do_not_count() -> None:
    """Token fields are left out by their exact name, wherever they stand."""
    token, other = Field(b"so_token", b"1"), Field(b"so_token", b"2")
    ignore = ("so_token", "csrf")
    assert encode((Field(b"a", b"1"), token), ignore=ignore) == encode(
        (other, Field(b"a", b"1")), ignore=ignore
    )
    assert encode((Field(b"so_token2", b"1"),), ignore=ignore) != encode((), ignore=ignore)
    assert encode((Field(b"SO_TOKEN", b"1"),), ignore=ignore) != encode((), ignore=ignore)


def test_which_image_button_was_clicked_counts() -> None:
    """Coordinates do not count, the button does; fields that only look like it do."""
    up, up_again = ((Field(b"up.x", x), Field(b"up.y", b"7")) for x in (b"1", b"2"))
    down = (Field(b"down.x", b"1"), Field(b"down.y", b"7"))
    assert encode(up) == encode(up_again)
    assert encode(up) != encode(down)
    assert encode((Field(b"x", b"1.5"), Field(b"y", b"2"))) != encode(
        (Field(b"x", b"1"), Field(b"y", b"2"))
    )
    assert encode((Field(b"x", b"1"),)) != encode((Field(b"x", b"2"),))


def test_files_count_by_content_name_and_size() -> None:
    """Another content or another filename is another input."""
    file = upload(b"f", b"a.txt", b"1")
    assert encode((file,)) == encode((upload(b"f", b"a.txt", b"1", "text/html"),))
    assert encode((file,)) != encode((upload(b"f", b"a.txt", b"2"),))
    assert encode((file,)) != encode((upload(b"f", b"b.txt", b"1"),))
    assert encode((file,)) != encode((Field(b"f", b"1"),))


@given(st.binary(), st.binary())
def test_other_bodies_stand_for_themselves(one: bytes, two: bytes) -> None:
    """What is not canonical, or no form at all, is its raw bytes, whatever was read in it."""
    field = (Field(b"a", b"1"),)
    assert (encode(field, canonical=False, raw=one) == encode((), canonical=False, raw=two)) == (
        one == two
    )
    assert encode((), raw=one) != encode((), canonical=False, raw=one)
    assert canonical_bytes("POST", "/p", "q=1", None, one, ()) == encode(
        (), canonical=False, raw=one
    )


def test_undecodable_bytes_never_meet() -> None:
    """`%FF` and `%FE` are different input (security rule 10)."""
    one, two = (read_form(URLENCODED, body) for body in (b"a=%FF", b"a=%FE"))
    assert encode(one.items) != encode(two.items)
