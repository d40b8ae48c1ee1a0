-- Writing a new receipt, and the limit of all drafts together (security rule 18).

local DRAFTS, DRAFT_BYTES, LAST = PREFIX .. 'drafts', PREFIX .. 'draft-bytes', PREFIX .. 'last'

local function read_receipt()
  if not flag() then return nil end
  return {
    id = arg(), visitor = arg(), token = arg(), variant = arg(), issued = arg(), echo = arg(),
    messages = arg(), draft = arg(), armed = flag(),
  }
end

local function next_score()
  local last = tonumber(redis.call('GET', LAST) or 0)
  local score = string.format('%.0f', math.max(math.floor(now * 1000000), last + 1))
  redis.call('SET', LAST, score, 'EX', ttl(RETENTION))
  return score
end

local function old() return string.format('%.0f', math.floor((now - RETENTION) * 1000000)) end

-- A member of the index of drafts is a receipt's id and how long its draft is.
local function uncount(member)
  redis.call('ZREM', DRAFTS, member)
  redis.call('DECRBY', DRAFT_BYTES, string.match(member, ':(%d+)$'))
end

local function make_room()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', DRAFTS, '-inf', '(' .. old())) do uncount(member) end
  local over = tonumber(redis.call('GET', DRAFT_BYTES) or 0) - MAX_KEPT
  while over > 0 do
    local member = redis.call('ZRANGE', DRAFTS, 0, 0)[1]
    if not member then return end
    local id, size = string.match(member, '^(.*):(%d+)$')
    if redis.call('EXISTS', PREFIX .. 'r:' .. id) == 1 then
      redis.call('HSET', PREFIX .. 'r:' .. id, 'draft', '')
    end
    uncount(member)
    over = over - tonumber(size)
  end
end

local function put_draft(r, score)
  redis.call('ZADD', DRAFTS, score, r.id .. ':' .. #r.draft)
  redis.call('INCRBY', DRAFT_BYTES, #r.draft)
  redis.call('EXPIRE', DRAFTS, ttl(RETENTION))
  redis.call('EXPIRE', DRAFT_BYTES, ttl(RETENTION))
  make_room()
end

-- A receipt that is written again (its answer was lost) keeps its place.
local function forget(id)
  local before = redis.call('HMGET', PREFIX .. 'r:' .. id, 'visitor', 'score', 'draft')
  if not before[1] then return nil end
  redis.call('ZREM', index(before[1]), id)
  if #before[3] > 0 then uncount(id .. ':' .. #before[3]) end
  return before[2]
end

local function put(r)
  if not r then return end
  r.score = forget(r.id) or next_score()
  local name = PREFIX .. 'r:' .. r.id
  redis.call('HSET', name, 'visitor', r.visitor, 'token', r.token, 'variant', r.variant,
    'issued', r.issued, 'echo', r.echo, 'messages', r.messages, 'draft', r.draft,
    'stage', r.armed and ARMED or SILENT, 'settled', text(now), 'armed', text(now),
    'lease_id', '', 'lease_until', '0', 'again', '0', 'score', r.score)
  redis.call('EXPIRE', name, ttl(RETENTION))
  if r.armed then
    redis.call('ZREMRANGEBYSCORE', index(r.visitor), '-inf', '(' .. old())
    waiting(r)
  end
  if #r.draft > 0 then put_draft(r, r.score) end
end
