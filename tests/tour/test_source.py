"""Three arms, one text: what the edits change, and that they change nothing else."""

import ast
import traceback
from pathlib import Path

import pytest

from seeother.apps.tour import source as module
from seeother.apps.tour.lessons import ARMS, LESSONS, Lesson, lesson
from seeother.apps.tour.source import FOLDER, CannotEdit, Edit, Source, load, source

EACH = pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)


def file_of(one: Lesson) -> str:
    """What is on disk."""
    return (FOLDER / f"{one.name}.py").read_text("utf-8")


def without(found: Source) -> list[str]:
    """The lines that are not marked as changed."""
    lines = enumerate(found.text.splitlines(), 1)
    return [line for number, line in lines if number not in found.changed]


@EACH
def test_the_lesson_arm_is_the_file(one: Lesson) -> None:
    """The arm `lesson` is the file, unchanged, and nothing of seeother is installed in it."""
    found = source(one, "lesson")
    assert found == Source(file_of(one), frozenset())
    assert "SeeOther" not in found.text and "seeother.django" not in found.text


@EACH
def test_one_line_more(one: Lesson) -> None:
    """The arm `seeother` is the file and one line: take the line away, and it is the file."""
    found = source(one, "seeother")
    assert len(found.changed) == 1
    assert without(found) == file_of(one).splitlines()
    (line,) = (found.text.splitlines()[number - 1] for number in found.changed)
    assert "seeother" in line.lower()


@EACH
def test_only_the_redirect_goes(one: Lesson) -> None:
    """The arm `page` is the file without its redirects after a form, and HTML in their place."""
    kept = without(source(one, "page"))
    gone = [line for line in file_of(one).splitlines() if line not in kept]
    words = ("redirect(", "send_response(303)", 'send_header("Location"', "end_headers()")
    assert gone and all(any(word in line for word in words) for line in gone)
    answers = [
        line.strip()
        for number, line in enumerate(source(one, "page").text.splitlines(), 1)
        if number in source(one, "page").changed
    ]
    assert answers and not any("redirect(" in line for line in answers)


@EACH
@pytest.mark.parametrize("arm", ARMS)
def test_the_views_are_the_same_code(one: Lesson, arm: str) -> None:
    """Every function that has no redirect is the same in all arms, as Python parses it."""

    def functions(text: str) -> dict[str, str]:
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        return {f"{node.name} {place}": ast.dump(node) for place, node in enumerate(found)}

    ours, theirs = functions(source(one, arm).text), functions(file_of(one))
    assert ours.keys() == theirs.keys()
    differ = {name for name in ours if ours[name] != theirs[name]}
    assert not differ or arm == "page"
    assert all(
        name.split()[0] in ("post", "do_POST", "hello", "submit", "second") for name in differ
    )


@EACH
def test_a_minute_of_reading(one: Lesson) -> None:
    """A lesson's file has at most 67 lines that say something, none wider than 100 characters."""
    lines = [line for line in file_of(one).splitlines() if line.strip()]
    assert len(lines) <= 67
    assert max(map(len, lines)) <= 100


@EACH
def test_every_call_records_once(one: Lesson) -> None:
    """No lesson calls `record` in a loop, and each calls it."""
    tree = ast.parse(file_of(one))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "record"
    ]
    assert calls
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)]
    assert not any(call in ast.walk(loop) for loop in loops for call in calls)


def test_no_such_arm() -> None:
    """An arm that nothing makes is an error, and not silently the lesson."""
    with pytest.raises(CannotEdit, match="nothing makes an arm 'other'"):
        source(lesson("hello"), "other")


@pytest.mark.parametrize(
    "edit",
    [
        Edit("return nowhere", "return"),
        Edit('return redirect(url_for("hello"))', "return", 2),
        Edit("return redirect", "return"),
    ],
)
def test_an_edit_that_fits_nowhere(monkeypatch: pytest.MonkeyPatch, edit: Edit) -> None:
    """A lesson that was changed without its edits is an error; part of a line is no line."""
    monkeypatch.setitem(module.EDITS, ("hello", "page"), (edit,))
    with pytest.raises(CannotEdit, match="times, not"):
        source(lesson("hello"), "page")


def test_an_edit_keeps_the_indentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several lines take the indentation of what they replace."""
    edit = Edit('return redirect(url_for("hello"))', "one = 1\nreturn one")
    monkeypatch.setitem(module.EDITS, ("hello", "page"), (edit,))
    lines = source(lesson("hello"), "page").text.splitlines()
    place = lines.index("        one = 1")
    assert lines[place + 1] == "        return one"
    assert source(lesson("hello"), "page").changed == {place + 1, place + 2}


def test_a_traceback_shows_the_arm() -> None:
    """The text in a traceback is the arm's own, line by line."""
    made = load(lesson("pages"), "seeother")
    with pytest.raises(RuntimeError) as caught:
        made.second()  # outside of a request
    frames = traceback.extract_tb(caught.value.__traceback__)
    (frame,) = [f for f in frames if f.name == "second"]
    assert frame.filename == "<pages.py, arm seeother>"
    lines = source(lesson("pages"), "seeother").text.splitlines()
    assert frame.lineno is not None
    assert frame.line == lines[frame.lineno - 1].strip() == 'if request.method == "GET":'


def test_modules_are_apart() -> None:
    """Two arms, and two loads of one arm, share no state."""
    made = [load(lesson("messages"), arm) for arm in ("lesson", "lesson", "page")]
    made[0].memory.append("only here")
    assert [one.memory for one in made] == [["only here"], [], []]
    assert {Path(str(one.__file__)).name for one in made} == {"messages.py"}
