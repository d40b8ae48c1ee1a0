"""One text, three arms: a lesson's file, and the edits that make the other two arms of it.

The file on disk is the arm `lesson`. The table below says what the others change:

* `page`: where the lesson redirects, it answers with HTML;
* `seeother`: one more line, and nothing else.

So the view code of the arms cannot drift apart: there is only one. Every edit names the very text
that it replaces, or the line that it stands behind; one that fits nowhere is an error, so that no
arm is silently the same as another.
"""

from __future__ import annotations

import difflib
import linecache
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from .lessons import Lesson

FOLDER: Final = Path(__file__).parent / "lessons"
PACKAGE: Final = f"{__package__}.lessons"


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `new` in the place of `old`, which stands in the lesson `times` times.

    Indentation does not count: `old` is whole lines without it, and `new` gets that of the first.
    """

    old: str
    new: str
    times: int = 1


def _after(line: str, new: str) -> Edit:
    return Edit(line, f"{line}\n{new}")


KEY: Final = 'app.secret_key = os.environ.get("SECRET_KEY", token_hex())'
IN_FLASK: Final = _after(KEY, "from seeother.flask import SeeOther; SeeOther(app)")
IN_WSGI: Final = _after(
    "app = bridge(MessageHandler)", "from seeother.wsgi import SeeOther; app = SeeOther(app)"
)
IN_DJANGO: Final = _after(
    'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "guess.db"}}',
    'INSTALLED_APPS.append("seeother.django");'
    ' MIDDLEWARE.insert(0, "seeother.django.middleware.SeeOtherMiddleware")',
)
EDITS: Final[dict[tuple[str, str], tuple[Edit, ...]]] = {
    ("guess", "seeother"): (IN_DJANGO,),
    ("guess", "page"): (Edit("return redirect(request.path)", "return self.get(request)", 2),),
    ("messages", "seeother"): (IN_WSGI,),
    ("messages", "page"): (
        Edit(
            'self.send_response(303)\nself.send_header("Location", self.path)\nself.end_headers()',
            "self.do_GET()",
        ),
    ),
    ("hello", "seeother"): (IN_FLASK,),
    ("hello", "page"): (
        Edit(
            'return redirect(url_for("hello"))',
            'return render_template("hello/hello.html", form=form, name=session.get("name"))',
        ),
    ),
    ("submit", "seeother"): (IN_FLASK,),
    ("submit", "page"): (Edit('return redirect(url_for("thankyou"))', "return thankyou()"),),
    ("pages", "seeother"): (IN_FLASK,),
    ("pages", "page"): (
        Edit('return redirect(url_for("third"), 307)', "return third()"),
        Edit(
            'return redirect(url_for("third"), int(code))',
            'return render_template("pages/third.html")',
        ),
        Edit(
            'return redirect(url_for("second"))',
            'return render_template("pages/second.html", message=session.pop("message"))',
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of an arm, and the numbers (from 1) of the lines that make it this arm."""

    text: str
    changed: frozenset[int]


class CannotEdit(LookupError):
    """An edit does not fit the lesson's file."""


def source(lesson: Lesson, arm: str) -> Source:
    """The text of an arm. Raises CannotEdit where the table does not fit the file.

    >>> from .lessons import LESSONS
    >>> [len(source(lesson, "seeother").changed) for lesson in LESSONS]
    [1, 1, 1, 1, 1]
    """
    before = (FOLDER / f"{lesson.name}.py").read_text("utf-8")
    after = before
    for edit in EDITS.get((lesson.name, arm), ()):
        after = _edited(after, edit)
    if arm != "lesson" and after == before:
        raise CannotEdit(f"{lesson.name}: nothing makes an arm {arm!r}")
    return Source(after, _changed(before, after))


def load(lesson: Lesson, arm: str) -> ModuleType:
    """Run the text of an arm as a new module, under a name of its own.

    It counts as standing where the lesson's file stands, so that Flask finds the templates;
    tracebacks show the arm's own text.
    """
    text = source(lesson, arm).text
    module = ModuleType(f"{PACKAGE}.{lesson.name}_{arm}")
    module.__file__ = str(FOLDER / f"{lesson.name}.py")
    name = f"<{lesson.name}.py, arm {arm}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    sys.modules[module.__name__] = module
    exec(compile(text, name, "exec"), vars(module))  # noqa: S102 - our own file, edited above
    return module


def _edited(text: str, edit: Edit) -> str:
    """Apply one edit wherever its lines stand, and nowhere else."""
    old, found, lines = edit.old.split("\n"), 0, text.split("\n")
    place = 0
    while place <= len(lines) - len(old):
        here = lines[place : place + len(old)]
        if [line.strip() for line in here] != old:
            place += 1
            continue
        indent = here[0][: len(here[0]) - len(here[0].lstrip())]
        new = [indent + line for line in edit.new.split("\n")]
        lines[place : place + len(old)] = new
        place, found = place + len(new), found + 1
    if found != edit.times:
        raise CannotEdit(f"{edit.old!r} stands there {found} times, not {edit.times}")
    return "\n".join(lines)


def _changed(before: str, after: str) -> frozenset[int]:
    """The numbers of the lines of `after` that are not in `before`."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return frozenset(
        number + 1
        for kind, _, _, start, end in matcher.get_opcodes()
        if kind != "equal"
        for number in range(start, end)
    )
