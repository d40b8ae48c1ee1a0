"""The ledger on Redis (6.2 or newer) or Valkey: several machines, one server, no transaction.

Every op is one script (`redis_scripts`), so every op is one atomic step and one round trip.
Nothing is ever locked and nothing waits: `Busy` is answered only where updates of one session key
got into each other's way too often. The clock is the server's (TIME), whatever the clocks of the
workers say.

There is no transaction of an app to join here, so this store has no `within`: the mode is separate,
at most once and "in doubt" after a crash. It also has no `Work`: what that decides stands in Lua,
and the contract, the state machine and a comparison op by op hold both to the same answers.

**Updates** (`session.change`) are functions of the app, which no script can call. The script says
what is stored, they are computed here, and it writes only if that is still so: where it is not, the
functions are called again, with the new values.

**A lost answer** is not asked for again by the client library: what can be repeated, the flow
repeats, and it knows how (a claim id is granted once, a settle is written once). A connection that
was closed while idle is noticed before anything is sent.

**Age.** Every key lives as long as something can name it and no longer: rows and receipts for
`retention`, sessions until they are idle or too old. Redis deletes them itself. (One number per
prefix stays: the longest retention that any app on it has asked for.)
"""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from ..core import ops
from ..errors import PolicyError, StoreBusy
from .base import Clock
from .here import Here
from .ledgerstore import LedgerStore
from .redis_scripts import PIECES, script
from .redis_server import down, outages, prepared
from .redis_wire import Wires, evalsha
from .redis_words import ASKED, Changed, Known, Words, answered, updated
from .work import Found

PREFIX: Final = "seeother"
TRIES: Final = 64
# In seconds. A script takes less than a millisecond; more than this is an outage.
DEFAULTS: Final = {"socket_timeout": "5", "socket_connect_timeout": "2"}
FORBIDDEN: Final = frozenset("{}\r\n\t ")


class _Process(NamedTuple):
    """What is open in one process."""

    pid: int
    client: Redis  # for what is asked rarely: settings, operators' questions
    wires: Wires  # for scripts

    def shut(self) -> None:
        """Close its connections."""
        self.wires.shut()
        self.client.close()


class RedisStore(LedgerStore, Here[_Process]):
    """A ledger, its receipts and its sessions on a Redis server, under keys `{prefix}:...`.

    `url` is what redis-py understands, without `prefix`; a `clock` is for tests: without one the
    server's counts. The other arguments are those of every store (`LedgerStore`).
    """

    single_writer: Final = False

    def __init__(
        self, url: str, prefix: str = PREFIX, *, clock: Clock | None = None, **limits: Any
    ) -> None:
        LedgerStore.__init__(self, clock=clock or time.time, **limits)
        self._none_open()
        if not prefix or FORBIDDEN & set(prefix):
            raise PolicyError(f"{prefix!r} cannot be a prefix: no braces, no spaces, not empty")
        self.url, self.prefix = url, f"{{{prefix}}}:"
        self._own_clock = clock

    @classmethod
    def from_url(cls, url: str) -> RedisStore:
        """`redis://user:password@host:6379/0?prefix=shop`; rediss:// is TLS.

        What else stands in the query goes to redis-py (`socket_timeout`, `ssl_ca_certs`, ...).
        Raises PolicyError where the URL names no server, or asks for decoded answers.

        >>> RedisStore.from_url("redis://localhost:6379/0?prefix=shop").prefix
        '{shop}:'
        """
        parts = urlsplit(url)
        options = {**DEFAULTS, **dict(parse_qsl(parts.query))}
        prefix = options.pop("prefix", PREFIX)
        if not parts.hostname or "decode_responses" in options or "protocol" in options:
            raise PolicyError(
                f"{parts.scheme}://{parts.hostname or ''} is no store; write"
                " redis://host:6379/0?prefix=name, without decode_responses or protocol"
            )
        return cls(parts._replace(query=urlencode(options)).geturl(), prefix)

    @property
    def address(self) -> str:
        """The URL that names this store, for a command in another process; with its password."""
        parts = urlsplit(self.url)
        return parts._replace(query=f"{parts.query}&prefix={self.prefix[1:-2]}").geturl()

    # Questions -------------------------------------------------------------------------------

    def lookup(self, op: ops.Lookup) -> Found:
        """Look for an outcome to replay, or for somebody who is at it; a read."""
        found: Found = self._ask(op)
        return found

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Ask to be the one who runs it. Raises SentTooOften."""
        reply: ops.ClaimReply = self._ask(op)
        return reply

    def open(self, op: ops.Open) -> ops.Opened:
        """Session, draft and waiting receipts; a read."""
        opened: ops.Opened = self._ask(op)
        return opened

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...]:
        """Lease messages to one page."""
        taken: tuple[ops.Taken, ...] = self._ask(op)
        return taken

    def close(self, op: ops.Close) -> ops.Done | ops.Busy:
        """End a visit."""
        try:
            reply: ops.Done = self._updated(op)
        except StoreBusy:
            return ops.Busy()
        return reply

    def rearm(self, op: ops.Rearm) -> ops.Done:
        """Show the message of a replay once more."""
        reply: ops.Done = self._ask(op)
        return reply

    def expire_now(self) -> int:
        """Nothing is left to delete: every key has its own end. 0."""
        return 0

    def _hold(self, op: ops.HolderOp) -> ops.Done | ops.Fenced:
        reply: ops.Done | ops.Fenced = self._updated(op)
        return reply

    # Scripts ---------------------------------------------------------------------------------

    def _updated(self, op: Any) -> Any:
        """Ask, and compute the updates anew for as long as what they were computed from changes.

        Each round that is lost is one that another visit has won; after 64 of them, StoreBusy.
        """
        session = op.session if isinstance(op, ops.Settle | ops.Close) else None
        known: Known | None = None
        for _ in range(TRIES):
            try:
                return self._ask(op, known)
            except Changed as changed:
                assert session is not None
                known = dict(zip(updated(session.changes), changed.stored, strict=True))
        raise StoreBusy(f"too many visits change this session at once ({op.verb})")

    def _ask(self, op: ops.Op[Any], known: Known | None = None) -> Any:
        asked = ASKED[op.verb](self.prefix, op, known)
        return answered(op, self.call(op.verb, asked.keys, asked.words))

    def call(self, verb: str, keys: Words, words: Words) -> Any:
        """Run the script of a verb. Raises StoreDown where the server cannot answer."""
        try:
            return self._run(self.here(), verb, keys, words)
        except RedisError as error:
            raise down(error) from error

    def _run(self, here: _Process, verb: str, keys: Words, words: Words) -> Any:
        made = script(verb)
        limits = [getattr(self, name) for name in made.limits]
        if self._own_clock is None:
            message = evalsha(made.digest, keys, ("", *limits), words)
        else:
            message = evalsha(made.digest, keys, (), [self._own_clock(), *limits, *words])
        try:
            return here.wires.ask(message)
        except NoScriptError:  # it was restarted, or somebody flushed its scripts
            here.client.script_load(made.text)
            return here.wires.ask(message)

    # Connections -----------------------------------------------------------------------------

    @property
    def client(self) -> Redis:
        """redis-py's client of this very process, for what is no op.

        Raises StoreDown where there is no server, PolicyError where it is too old.
        """
        return self.here().client

    def _opened(self, pid: int) -> _Process:
        with outages():
            kind: Any = Redis  # some of its arguments have no types
            client: Redis = kind.from_url(self.url, retry=Retry(NoBackoff(), 0), protocol=2)
            process = _Process(pid, client, Wires(client))
            try:
                prepared(client, [script(verb).text for verb in PIECES])
                longest = self._run(process, "enter", [f"{self.prefix}retention"], [])
            except BaseException:
                process.shut()
                raise
            self.retention = max(self.retention, float(longest))
            return process

    def shut(self) -> None:
        """Close this process's connections."""
        process = self._leave()
        if process is not None:
            process.shut()
