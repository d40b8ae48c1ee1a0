-- Writing a new receipt, and the limit of all drafts together (security rule 18).

local DRAFTS, DRAFT_BYTES, LAST = PREFIX .. 'drafts', PREFIX .. 'draft-bytes', PREFIX .. 'last'

local function read_receipt()
  if not flag() then return nil end
  return {
    id = arg(), visitor = arg(), token = arg(), variant = arg(), issued = arg(), echo = arg(),
    messages = arg(), draft = arg(), armed = flag(),
  }
end

local function micros(seconds) return string.format('%.0f', math.floor(seconds * 1000000)) end

local function next_score()
  local score = micros(now)
  local last = redis.call('SET', LAST, score, 'EX', ttl(RETENTION), 'GET')
  if last and tonumber(last) >= tonumber(score) then  -- a clock that was set back, or that stands
    score = string.format('%.0f', last + 1)
    redis.call('SET', LAST, score, 'EX', ttl(RETENTION))
  end
  return score
end

-- A member of the index of drafts is a receipt's id and how long its draft is.
local function uncount(member)
  redis.call('ZREM', DRAFTS, member)
  redis.call('DECRBY', DRAFT_BYTES, string.match(member, ':(%d+)$'))
end

local function make_room()
  local before = '(' .. micros(now - RETENTION)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', DRAFTS, '-inf', before)) do uncount(member) end
  local over = tonumber(redis.call('GET', DRAFT_BYTES) or 0) - MAX_KEPT
  while over > 0 do
    local member = redis.call('ZRANGE', DRAFTS, 0, 0)[1]
    if not member then return end
    local id, size = string.match(member, '^(.*):(%d+)$')
    redis.call('HDEL', PREFIX .. 'r:' .. id, 'draft')
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
  redis.call('DEL', PREFIX .. 'r:' .. id)
  if before[3] then uncount(id .. ':' .. #before[3]) end
  return before[2]
end

-- What expired is passed by (`kept`); so it is enough that some of those who add to an index tidy it.
local TIDIES_EACH = 16

local function add_to_index(r)
  waiting(r)
  if tonumber(r.score) % TIDIES_EACH == 0 then
    redis.call('ZREMRANGEBYSCORE', index(r.visitor), '-inf', '(' .. micros(now - RETENTION))
  end
end

-- What is empty is not written, and what was never delivered has nothing of a lease (`kept`).
local function fields_of(r)
  local out = {'visitor', r.visitor, 'messages', r.messages, 'stage', r.armed and ARMED or SILENT,
    'settled', text(now), 'score', r.score}
  for _, name in ipairs({'token', 'variant', 'issued', 'echo', 'draft'}) do
    if r[name] ~= '' then
      out[#out + 1] = name
      out[#out + 1] = r[name]
    end
  end
  return out
end

local function put(r)
  if not r then return end
  r.score = forget(r.id) or next_score()
  local name = PREFIX .. 'r:' .. r.id
  redis.call('HSET', name, unpack(fields_of(r)))
  redis.call('EXPIRE', name, ttl(RETENTION))
  if r.armed then add_to_index(r) end
  if #r.draft > 0 then put_draft(r, r.score) end
end
