"""The Markdown pages: what they point to exists, and what they may not say they do not say."""

import ast
import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
MODES = ("joined", "fenced", "hooked", "separate")

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`((?:tests|src)/[\w/]+\.py)::(\w+)(?:::(\w+))?`")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The fragment of each heading, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@cache
def definitions(path: Path) -> frozenset[str]:
    """The functions and classes of a Python file, methods as Class::method."""
    if not path.is_file():
        return frozenset()
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (
                n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
            )
            found |= {f"{node.name}::{method.name}" for method in methods}
    return frozenset(found)


@every_page
def test_links_lead_to_something(page: Path) -> None:
    """Each link to a file of this repository, and each anchor in one, exists."""
    broken = []
    for target in (one or other for one, other in LINK.findall(prose(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@every_page
def test_named_tests_exist(page: Path) -> None:
    """Each test that a page names is there, under that name, and is a test."""
    for file, name, method in TEST.findall(page.read_text("utf-8")):
        full = f"{name}::{method}" if method else name
        assert full in definitions(ROOT / file), f"{page.name} names {file}::{full}"
        assert (method or name).startswith("test_") or name.startswith("Test")


@every_page
def test_exactly_once_names_its_mode(page: Path) -> None:
    """No paragraph, table or list says "exactly once" without saying in which mode."""
    for paragraph in re.split(r"\n\s*\n", prose(page)):
        text = " ".join(paragraph.split()).lower()
        if "exactly once" in text:
            assert any(mode in text for mode in MODES), paragraph


@every_page
def test_python_blocks_are_run(page: Path, pytestconfig: pytest.Config) -> None:
    """A page with a Python block is one of those that pytest collects."""
    if re.search(r"^```py", page.read_text("utf-8"), re.MULTILINE):
        tops = {page, *page.parents}
        assert tops & {ROOT / path for path in pytestconfig.getini("testpaths")}


@every_page
def test_make_targets_exist(page: Path) -> None:
    """Each `make something` that a page tells people to run is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(told) <= targets


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").glob("*.svg")), ids=lambda p: p.name)
def test_pictures_stand_alone(picture: Path) -> None:
    """A picture says in words what it shows, knows dark mode, and loads or runs nothing."""
    source = picture.read_text("utf-8")
    root = ET.fromstring(source)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert {"title", "desc"} <= tags
    assert not tags & {"script", "foreignObject", "image", "use"}
    assert "prefers-color-scheme: dark" in source
    assert "url(" not in source
    assert not any(
        name.startswith("on") or "href" in name for e in root.iter() for name in e.attrib
    )
