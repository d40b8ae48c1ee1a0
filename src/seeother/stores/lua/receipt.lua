-- Receipts: a hash each. Those that still wait are also in their visitor's index, in the order in
-- which they came; those with a draft in the index of drafts, beside the sum of all drafts.
-- Scores are microseconds that never repeat, so they are an order and an age.

local function kept(id)
  local found = redis.call('HMGET', PREFIX .. 'r:' .. id, 'visitor', 'stage', 'settled', 'armed',
    'lease_id', 'lease_until', 'again', 'score')
  if not found[1] or tonumber(found[3]) < now - RETENTION then return nil end
  return {
    id = id, visitor = found[1], stage = found[2], settled = tonumber(found[3]),
    armed = tonumber(found[4] or found[3]), lease_id = found[5] or '',
    lease_until = tonumber(found[6] or 0), again = found[7] or '0', score = found[8],
  }
end

local function waits(r)
  return r.stage == ARMED or r.stage == LEASED and r.lease_until <= now
end

local function index(visitor) return PREFIX .. 'v:' .. visitor end

local function waiting(r)
  redis.call('ZADD', index(r.visitor), r.score, r.id)
  redis.call('EXPIRE', index(r.visitor), ttl(RETENTION))
end

-- Where its messages are from now on, and what else changes with that.
local function deliver(r, stage, ...)
  redis.call('HSET', PREFIX .. 'r:' .. r.id, 'stage', stage, ...)
end

-- Give them to one page, if they wait (`Delivery.leased`).
local function lease(r, lease_id, seconds)
  deliver(r, LEASED, 'lease_id', lease_id, 'lease_until', text(now + seconds))
end

local function holds(r, lease_id) return r and r.stage == LEASED and r.lease_id == lease_id end

local function acknowledge(id, lease_id)
  local r = kept(id)
  if not holds(r, lease_id) then return end
  deliver(r, SHOWN)
  redis.call('ZREM', index(r.visitor), id)
end

local function give_back(id, lease_id)
  local r = kept(id)
  if holds(r, lease_id) then deliver(r, ARMED) end
end
