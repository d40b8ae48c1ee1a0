-- The rows of one token are the fields of one hash, named by their variant: they are counted and
-- they age together. `seeother.core.ledger.Row` has the same fields; `kind` and `receipt` are those
-- of the outcome, which is opaque here.

local function row_of(token, variant)
  local packed = redis.call('HGET', token, variant)
  if not packed then return nil end
  local r = cmsgpack.unpack(packed)
  return {
    state = r[1], fence = r[2], claim_id = r[3], fingerprint = r[4], lease_until = r[5],
    tainted = r[6], page_keeping = r[7], outcome = r[8], settled_at = r[9], kind = r[10],
    receipt = r[11],
  }
end

-- A row goes only when every app refuses its token for its age (I12): counted from the issue time,
-- which the id starts with.
local function keep(token, variant, row, issued)
  if not row then
    redis.call('HDEL', token, variant)
    return
  end
  local added = redis.call('HSET', token, variant, cmsgpack.pack({
    row.state, row.fence, row.claim_id, row.fingerprint, row.lease_until, row.tainted,
    row.page_keeping, row.outcome, row.settled_at, row.kind, row.receipt,
  }))
  if added == 1 then redis.call('EXPIRE', token, ttl(RETENTION + math.max(0, issued - now))) end
end

-- No token is valid that was issued before this; its row is as good as expired.
local function met(token, variant, issued)
  if issued < math.floor(now - RETENTION) then return nil end
  return row_of(token, variant)
end
