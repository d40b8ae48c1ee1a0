"""One running tour for each module of tests: it takes a second or two to start."""

from collections.abc import Iterator

import pytest

from tests.tour.served import Tour, Visitor


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """A tour in a process of its own."""
    with Tour(tmp_path_factory.mktemp("tour")) as running:
        yield running


@pytest.fixture
def ann(tour: Tour) -> Iterator[Visitor]:
    """A new visitor."""
    with Visitor(tour.url) as visitor:
        yield visitor


@pytest.fixture
def bob(tour: Tour) -> Iterator[Visitor]:
    """Another one."""
    with Visitor(tour.url) as visitor:
        yield visitor
