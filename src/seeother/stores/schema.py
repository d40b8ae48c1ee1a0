"""The tables and statements of the SQLite store, in one place.

* The ledger's key starts with the token's issue time, in a WITHOUT ROWID table: inserts go to the
  end of the tree, expired rows are a range at its start, and no second index is needed (measured:
  time per POST flat from 10^4 to 10^7 rows; random keys +24 %).
* Receipts are found by id, by the visitor (only those that still wait: a partial index) and by age
  (the rowid, which only grows).
* A session is one row per key, so that two requests cannot overwrite each other's keys.
* Rows that are not settled yet have an index of their own, and their owner (`owners`). Joined mode
  writes none, so it costs nothing there; it is how dead owners and doubts are found.
* `so_meta` holds the version of these tables and the longest retention that any app on this file
  has asked for: several apps may share it, and none may delete what another one still needs.
* `so_meta` also holds how many bytes of drafts there are, kept up by triggers: each new draft asks
  for it, and adding up would take longer the more there is. What carries no draft pays nothing.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

META: Final = """
CREATE TABLE IF NOT EXISTS so_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
"""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS so_ledger(
  id BLOB NOT NULL, variant BLOB NOT NULL, state TEXT NOT NULL, fence INTEGER NOT NULL,
  claim_id BLOB NOT NULL, fingerprint BLOB NOT NULL, lease_until REAL NOT NULL,
  tainted INTEGER NOT NULL, page_keeping INTEGER NOT NULL, outcome BLOB, settled_at REAL NOT NULL,
  owner TEXT, PRIMARY KEY(id, variant)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS so_ledger_open ON so_ledger(lease_until) WHERE state <> 'settled';
CREATE TABLE IF NOT EXISTS so_receipt(
  n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, visitor BLOB NOT NULL,
  ledger_id BLOB, variant BLOB, echo BLOB NOT NULL, messages BLOB NOT NULL, draft BLOB NOT NULL,
  stage INTEGER NOT NULL, settled_at REAL NOT NULL, armed_at REAL NOT NULL,
  lease_id BLOB NOT NULL, lease_until REAL NOT NULL, again INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS so_receipt_waiting ON so_receipt(visitor) WHERE stage < 3;
CREATE INDEX IF NOT EXISTS so_receipt_draft ON so_receipt(n) WHERE length(draft) > 0;
CREATE TABLE IF NOT EXISTS so_session(
  sid BLOB NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(sid, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS so_session_head(
  sid BLOB PRIMARY KEY, born REAL NOT NULL, seen REAL NOT NULL, moved_to BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS so_session_idle ON so_session_head(seen)
"""

NO_DRAFTS: Final = "INSERT OR IGNORE INTO so_meta(name, value) VALUES('drafts', '0')"
_COUNT: Final = "UPDATE so_meta SET value = value {} WHERE name = 'drafts'"
TRIGGERS: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS so_draft_{event.split()[0].lower()} AFTER {event} ON so_receipt"
    f" WHEN {when} BEGIN {_COUNT.format(change)}; END"
    for event, when, change in (
        ("INSERT", "length(new.draft) > 0", "+ length(new.draft)"),
        ("DELETE", "length(old.draft) > 0", "- length(old.draft)"),
        ("UPDATE OF draft", "true", "+ length(new.draft) - length(old.draft)"),
    )
)

TABLE: Final = "SELECT 1 FROM sqlite_master WHERE type='table' AND name=?"
READ_META: Final = "SELECT value FROM so_meta WHERE name=?"
WRITE_META: Final = (
    "INSERT INTO so_meta(name, value) VALUES(?,?) ON CONFLICT(name) DO UPDATE SET"
    " value=excluded.value"
)

READ_ROW: Final = (
    "SELECT state, fence, claim_id, fingerprint, lease_until, tainted, page_keeping, outcome,"
    " settled_at FROM so_ledger WHERE id=? AND variant=?"
)
_WRITE_ROW: Final = (
    "INSERT INTO so_ledger(state, fence, claim_id, fingerprint, lease_until, tainted, page_keeping,"
    " outcome, settled_at, id, variant, owner) VALUES(?,?,?,?,?,?,?,?,?,?,?,{})"
    " ON CONFLICT(id, variant) DO UPDATE SET state=excluded.state, fence=excluded.fence,"
    " claim_id=excluded.claim_id, fingerprint=excluded.fingerprint,"
    " lease_until=excluded.lease_until, tainted=excluded.tainted,"
    " page_keeping=excluded.page_keeping, outcome=excluded.outcome,"
    " settled_at=excluded.settled_at, owner=excluded.owner"
)
WRITE_ROW: Final = _WRITE_ROW.format("NULL")
WRITE_CLAIM: Final = _WRITE_ROW.format("?")
DELETE_ROW: Final = "DELETE FROM so_ledger WHERE id=? AND variant=?"
EXPIRE_LEDGER: Final = (
    "DELETE FROM so_ledger WHERE (id, variant) IN"
    " (SELECT id, variant FROM so_ledger WHERE id < ? ORDER BY id LIMIT ?)"
)

HAS_ROWS: Final = "SELECT 1 FROM so_ledger WHERE id=? LIMIT 1"
VARIANTS: Final = "SELECT count(*) FROM (SELECT 1 FROM so_ledger WHERE id=? LIMIT ?)"
OWNERS: Final = (
    "SELECT DISTINCT owner FROM so_ledger"
    " WHERE state<>'settled' AND state='claimed' AND lease_until>? AND owner IS NOT NULL"
)
LAPSE: Final = (
    "UPDATE so_ledger SET lease_until=?"
    " WHERE state<>'settled' AND state='claimed' AND owner=? AND lease_until>?"
)

READ_RECEIPT: Final = (
    "SELECT visitor, ledger_id, variant, echo, messages, draft, stage, settled_at, armed_at,"
    " lease_id, lease_until, again FROM so_receipt WHERE id=?"
)
READ_DELIVERY: Final = (
    "SELECT stage, settled_at, armed_at, lease_id, lease_until, again FROM so_receipt WHERE id=?"
)
READ_STAGE: Final = "SELECT stage FROM so_receipt WHERE id=?"
WRITE_RECEIPT: Final = (
    "INSERT INTO so_receipt(id, visitor, ledger_id, variant, echo, messages, draft, stage,"
    " settled_at, armed_at, lease_id, lease_until, again) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
DELIVER: Final = (
    "UPDATE so_receipt SET stage=?, settled_at=?, armed_at=?, lease_id=?, lease_until=?, again=?"
    " WHERE id=?"
)
# `Delivery.orphaned` once more, because of its LIMIT; `stage<3` lets the partial index serve it.
ORPHANS: Final = (
    "SELECT id FROM so_receipt WHERE visitor=? AND stage<3 AND (stage=1 OR lease_until<=?)"
    " AND armed_at<=? ORDER BY n LIMIT ?"
)
EXPIRE_RECEIPTS: Final = (
    "DELETE FROM so_receipt WHERE n IN (SELECT n FROM so_receipt ORDER BY n LIMIT ?)"
    " AND settled_at<?"
)
FORGET: Final = "DELETE FROM so_receipt WHERE visitor=?"

OLDEST_DRAFTS: Final = "SELECT n, length(draft) FROM so_receipt WHERE length(draft) > 0 ORDER BY n"
DRAFTS: Final = "SELECT total(value) FROM so_meta WHERE name='drafts'"
DROP_DRAFT: Final = "UPDATE so_receipt SET draft=x'' WHERE n=?"

READ_SESSION: Final = "SELECT name, value FROM so_session WHERE sid=?"
# Head and values at one moment and in one question; a session without values is one row of NULLs.
OPEN_SESSION: Final = (
    "SELECT born, seen, moved_to, name, value FROM so_session_head LEFT JOIN so_session USING(sid)"
    " WHERE sid=?"
)
READ_HEAD: Final = "SELECT born, seen, moved_to FROM so_session_head WHERE sid=?"
MOVE_HEAD: Final = """
INSERT INTO so_session_head(sid, born, seen) SELECT ?, born, ? FROM so_session_head WHERE sid=?"""
MOVE_KEYS: Final = "UPDATE so_session SET sid=? WHERE sid=?"
FORWARD: Final = "UPDATE so_session_head SET moved_to=?, seen=? WHERE sid=?"
TOUCH_SESSION: Final = (
    "INSERT INTO so_session_head(sid, born, seen) VALUES(?,?,?)"
    " ON CONFLICT(sid) DO UPDATE SET seen=excluded.seen"
)
SET_KEY: Final = (
    "INSERT INTO so_session(sid, name, value) VALUES(?,?,?)"
    " ON CONFLICT(sid, name) DO UPDATE SET value=excluded.value"
)
DELETE_KEY: Final = "DELETE FROM so_session WHERE sid=? AND name=?"
CLEAR_SESSION: Final = "DELETE FROM so_session WHERE sid=?"
IDLE_SESSIONS: Final = "SELECT sid FROM so_session_head WHERE seen<=? ORDER BY seen LIMIT ?"
END_SESSION: Final = "DELETE FROM so_session_head WHERE sid=?"
