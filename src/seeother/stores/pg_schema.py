"""The tables and statements of the PostgreSQL store, in one place.

They are those of SQLite (`schema`) in PostgreSQL's words; what differs, and why:

* Times are seconds in `double precision`, as everywhere in seeother: no time zone can come between.
* In mode joined a row is inserted once and never changed; what is claimed first is changed once.
* Names of session keys are bytes, because PostgreSQL's text knows no NUL.
* How many bytes of drafts there are is a sum over `so_draft`: each new draft adds a line there, and
  expiry draws the lines together. One counter would make all who leave a draft wait for each other.
* `so_meta` also holds an identity, made with the tables: a connection of the app on which the same
  identity is read has the same ledger, whatever its address and search path are.

`STEPS` is the way from any version of these tables to the newest. `%s` stands for a value, which
`pg_wire` spells as a literal.
"""

from __future__ import annotations

from typing import Final

TABLES: Final = """
CREATE TABLE so_ledger(
  id bytea NOT NULL, variant bytea NOT NULL, state text NOT NULL, fence integer NOT NULL,
  claim_id bytea NOT NULL, fingerprint bytea NOT NULL, lease_until double precision NOT NULL,
  tainted boolean NOT NULL, page_keeping boolean NOT NULL, outcome bytea,
  settled_at double precision NOT NULL, owner text, PRIMARY KEY(id, variant));
CREATE INDEX so_ledger_open ON so_ledger(lease_until) WHERE state <> 'settled';
CREATE TABLE so_receipt(
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL UNIQUE,
  visitor bytea NOT NULL, ledger_id bytea, variant bytea, echo bytea NOT NULL,
  messages bytea NOT NULL, draft bytea NOT NULL, stage smallint NOT NULL,
  settled_at double precision NOT NULL, armed_at double precision NOT NULL,
  lease_id bytea NOT NULL, lease_until double precision NOT NULL, again boolean NOT NULL);
CREATE INDEX so_receipt_waiting ON so_receipt(visitor) WHERE stage < 3;
CREATE INDEX so_receipt_draft ON so_receipt(n) WHERE length(draft) > 0;
CREATE TABLE so_draft(size bigint NOT NULL);
CREATE FUNCTION so_count_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'DELETE' AND length(NEW.draft) > 0 THEN
    EXECUTE format('INSERT INTO %I.so_draft VALUES ($1)', TG_TABLE_SCHEMA) USING length(NEW.draft);
  END IF;
  IF TG_OP <> 'INSERT' AND length(OLD.draft) > 0 THEN
    EXECUTE format('INSERT INTO %I.so_draft VALUES ($1)', TG_TABLE_SCHEMA) USING -length(OLD.draft);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER so_draft_insert AFTER INSERT ON so_receipt FOR EACH ROW
  WHEN (length(NEW.draft) > 0) EXECUTE FUNCTION so_count_draft();
CREATE TRIGGER so_draft_delete AFTER DELETE ON so_receipt FOR EACH ROW
  WHEN (length(OLD.draft) > 0) EXECUTE FUNCTION so_count_draft();
CREATE TRIGGER so_draft_update AFTER UPDATE OF draft ON so_receipt FOR EACH ROW
  EXECUTE FUNCTION so_count_draft();
CREATE TABLE so_session_head(
  sid bytea PRIMARY KEY, born double precision NOT NULL, seen double precision NOT NULL,
  moved_to bytea);
CREATE INDEX so_session_idle ON so_session_head(seen);
CREATE TABLE so_session(
  sid bytea NOT NULL, name bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY(sid, name));
INSERT INTO so_meta(name, value) VALUES('identity', gen_random_uuid()::text)
"""
# Step n leads from version n to version n + 1; each is one script. Never change one, add another.
STEPS: tuple[str, ...] = (TABLES,)
DROPPED: Final = """
DROP TABLE IF EXISTS so_ledger, so_receipt, so_draft, so_session, so_session_head, so_meta;
DROP FUNCTION IF EXISTS so_count_draft()
"""

META: Final = "CREATE TABLE IF NOT EXISTS so_meta(name text PRIMARY KEY, value text NOT NULL)"
IS_THERE: Final = "SELECT to_regclass('so_meta') IS NOT NULL"
TABLE: Final = "SELECT 1 WHERE to_regclass(quote_ident(%s)) IS NOT NULL"
READ_META: Final = "SELECT value FROM so_meta WHERE name=%s"
WRITE_META: Final = (
    "INSERT INTO so_meta(name, value) VALUES(%s,%s) ON CONFLICT(name) DO UPDATE SET"
    " value=excluded.value"
)
LONGEST: Final = (
    "INSERT INTO so_meta(name, value) VALUES('retention',%s) ON CONFLICT(name) DO UPDATE SET"
    " value=excluded.value WHERE so_meta.value::float8 < excluded.value::float8"
)
PROCESS: Final = "SELECT pg_backend_pid()"
NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"

# Advisory locks end with their transaction and are no state of a session, so poolers see none.
LOCK: Final = "SELECT pg_advisory_xact_lock(%s)"
# Whether it was to be had is remembered for this transaction: only then the next statement looks
# for the row, so that who was refused does not lock it either.
TRY_LOCK: Final = "SELECT set_config('seeother.held', pg_try_advisory_xact_lock(%s)::text, true)"
IF_HELD: Final = " AND current_setting('seeother.held')='true' FOR UPDATE NOWAIT"
TRY_SHARED: Final = "SELECT pg_try_advisory_xact_lock_shared(%s)"
WAIT_SHARED: Final = "SELECT pg_advisory_xact_lock_shared(%s)"

READ_ROW: Final = (
    "SELECT state, fence, claim_id, fingerprint, lease_until, tainted, page_keeping, outcome,"
    " settled_at FROM so_ledger WHERE id=%s AND variant=%s"
)
# Without ON CONFLICT: where a row is that nobody saw, the effect beside this must not commit.
INSERT_ROW: Final = (
    "INSERT INTO so_ledger(state, fence, claim_id, fingerprint, lease_until, tainted, page_keeping,"
    " outcome, settled_at, owner, id, variant) VALUES(%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"
)
UPDATE_ROW: Final = (
    "UPDATE so_ledger SET state=%s, fence=%s, claim_id=%s, fingerprint=%s, lease_until=%s,"
    " tainted=%s, page_keeping=%s, outcome=%s, settled_at=%s, owner=%s WHERE id=%s AND variant=%s"
)
DELETE_ROW: Final = "DELETE FROM so_ledger WHERE id=%s AND variant=%s"
VARIANTS: Final = "SELECT count(*) FROM (SELECT 1 FROM so_ledger WHERE id=%s LIMIT %s) AS counted"
READ_COUNTED: Final = f"SELECT c.*, r.* FROM ({VARIANTS}) AS c LEFT JOIN ({READ_ROW}) AS r ON true"  # noqa: S608 - ours
OWNERS: Final = (
    "SELECT DISTINCT owner FROM so_ledger"
    " WHERE state<>'settled' AND state='claimed' AND lease_until>%s AND owner IS NOT NULL"
)
LAPSE: Final = (
    "UPDATE so_ledger SET lease_until=%s"
    " WHERE state<>'settled' AND state='claimed' AND owner=%s AND lease_until>%s"
)

READ_RECEIPT: Final = (
    "SELECT visitor, ledger_id, variant, echo, messages, draft, stage, settled_at, armed_at,"
    " lease_id, lease_until, again FROM so_receipt WHERE id=%s"
)
READ_STAGE: Final = "SELECT stage FROM so_receipt WHERE id=%s"
WRITE_RECEIPT: Final = (
    "INSERT INTO so_receipt(id, visitor, ledger_id, variant, echo, messages, draft, stage,"
    " settled_at, armed_at, lease_id, lease_until, again)"
    " VALUES(%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)"
)
WRITE_RECEIPT_IF: Final = WRITE_RECEIPT.replace("VALUES(", "SELECT ").replace(
    "%s)", "%s FROM claimed"
)
DELIVER: Final = (
    "UPDATE so_receipt SET stage=%s, settled_at=%s, armed_at=%s, lease_id=%s, lease_until=%s,"
    " again=%s WHERE id=%s"
)
# `Delivery.orphaned` once more, because of its LIMIT; `stage<3` lets the partial index serve it.
ORPHANS: Final = (
    "SELECT id FROM so_receipt WHERE visitor=%s AND stage<3 AND (stage=1 OR lease_until<=%s)"
    " AND armed_at<=%s ORDER BY n LIMIT %s"
)
FORGET: Final = "DELETE FROM so_receipt WHERE visitor=%s"
DRAFTS: Final = "SELECT coalesce(sum(size), 0)::bigint FROM so_draft"
# The oldest ones whose sum, without the last of them, is still too small.
DROP_DRAFTS: Final = (
    "UPDATE so_receipt SET draft='' WHERE n IN (SELECT n FROM (SELECT n, sum(length(draft))"
    " OVER (ORDER BY n) - length(draft) AS before FROM (SELECT n, draft FROM so_receipt"
    " WHERE length(draft) > 0 ORDER BY n LIMIT 1000) AS oldest) AS summed WHERE before < %s)"
)

READ_SESSION: Final = "SELECT name, value FROM so_session WHERE sid=%s"
READ_HEAD: Final = "SELECT born, seen, moved_to FROM so_session_head WHERE sid=%s"
MOVE_HEAD: Final = (
    "INSERT INTO so_session_head(sid, born, seen)"
    " SELECT %s, born, %s FROM so_session_head WHERE sid=%s"
)
MOVE_KEYS: Final = "UPDATE so_session SET sid=%s WHERE sid=%s"
FORWARD: Final = "UPDATE so_session_head SET moved_to=%s, seen=%s WHERE sid=%s"
TOUCH_SESSION: Final = (
    "INSERT INTO so_session_head(sid, born, seen) VALUES(%s,%s,%s)"
    " ON CONFLICT(sid) DO UPDATE SET seen=excluded.seen"
)
SET_KEY: Final = (
    "INSERT INTO so_session(sid, name, value) VALUES(%s,%s,%s)"
    " ON CONFLICT(sid, name) DO UPDATE SET value=excluded.value"
)
DELETE_KEY: Final = "DELETE FROM so_session WHERE sid=%s AND name=%s"
CLEAR_SESSION: Final = "DELETE FROM so_session WHERE sid=%s"
END_SESSION: Final = "DELETE FROM so_session_head WHERE sid=%s"

# Expiry: each a statement of its own that passes by whatever somebody else holds.
EXPIRE: Final = (
    "DELETE FROM so_ledger WHERE (id, variant) IN (SELECT id, variant FROM so_ledger"
    " WHERE id < %s ORDER BY id, variant LIMIT %s FOR UPDATE SKIP LOCKED)"
)
EXPIRE_RECEIPTS: Final = (
    "DELETE FROM so_receipt WHERE n IN (SELECT n FROM so_receipt ORDER BY n LIMIT %s"
    " FOR UPDATE SKIP LOCKED) AND settled_at < %s"
)
EXPIRE_SESSIONS: Final = (
    "WITH idle AS (DELETE FROM so_session_head WHERE sid IN (SELECT sid FROM so_session_head"
    " WHERE seen <= %s ORDER BY seen LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING sid),"
    " keys AS (DELETE FROM so_session WHERE sid IN (SELECT sid FROM idle))"
    " SELECT count(*) FROM idle"
)
DRAW_TOGETHER: Final = (
    "WITH gone AS (DELETE FROM so_draft WHERE ctid IN (SELECT ctid FROM so_draft LIMIT 1000"
    " FOR UPDATE SKIP LOCKED) RETURNING size)"
    " INSERT INTO so_draft SELECT sum(size) FROM gone HAVING count(*) > 0"
)
