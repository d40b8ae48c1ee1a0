-- Sessions: a hash each, one field per key ('k' and its name) beside born, seen and, where its id
-- was rotated, where it went. What a write means is `seeother.stores.work`; here it is planned first
-- and written later, so that a write that has to be computed anew has touched nothing.

local MOVES_MOST = 8
local APPS = string.byte('k')

local function name_of(sid) return PREFIX .. 's:' .. sid end

local function head(sid)
  local found = redis.call('HMGET', name_of(sid), 'born', 'seen', 'moved')
  if not found[1] then return nil end
  return {born = tonumber(found[1]), seen = tonumber(found[2]), moved = found[3]}
end

local function alive(h)
  return now - h.seen < IDLE and now - h.born < LIFETIME and not h.moved
end

-- Where the session is that a visit opened under this id; `gone` are those that end right now.
local function now_at(sid, gone)
  for _ = 1, MOVES_MOST do
    local h = not gone[sid] and head(sid)
    if not h then return nil end
    if not h.moved then
      if alive(h) then return sid, h end
      return nil
    end
    if now - h.seen > FORWARD_SECONDS then return nil end
    sid = h.moved
  end
  return nil
end

-- Updates are functions of what is stored, and functions are the app's: it says what it took them
-- to be (or that it does not know yet), and is told what they are where that is not so.
local function changed(from, gone, expected)
  local reply, same = {'Changed'}, true
  for i, e in ipairs(expected) do
    local value = not gone[from] and redis.call('HGET', name_of(from), 'k' .. e.name)
    reply[i + 1] = value
    same = same and e.known and value == e.value
  end
  if not same then return reply end
end

local function read_session()
  local plan = {gone = {}}
  if not flag() then return plan end
  local sid, fresh, moves, ends = arg(), flag(), arg(), arg()
  plan.cleared, plan.deletes, plan.sets = flag(), list(), list()
  local expected = {}
  for i = 1, number() do
    local name, what, value = arg(), arg(), arg()
    expected[i] = {name = name, known = what ~= '?', value = what == '1' and value}
  end
  if ends ~= '' then
    local successor = now_at(ends, {})
    plan.gone[ends] = true
    if successor then plan.gone[successor] = true end
  end
  local from = sid
  if fresh then
    plan.head = not plan.gone[sid] and head(sid)
  else
    from, plan.head = now_at(moves ~= '' and moves or sid, plan.gone)
  end
  if not from then return plan end
  plan.from, plan.to = from, sid
  if moves == '' then plan.to = from end
  plan.changed = changed(from, plan.gone, expected)
  return plan
end

local function rotate(old, new, born)
  redis.call('RENAME', name_of(old), name_of(new))
  redis.call('HSET', name_of(old), 'born', text(born), 'seen', text(now), 'moved', new)
  redis.call('EXPIRE', name_of(old), ttl(2 * FORWARD_SECONDS))
end

local function each(command, name, words)
  -- Lua passes some thousand values at most.
  for i = 1, #words, 1000 do
    redis.call(command, name, unpack(words, i, math.min(i + 999, #words)))
  end
end

local function merge(plan)
  for sid in pairs(plan.gone) do redis.call('DEL', name_of(sid)) end
  if not plan.from then return end
  local name, born = name_of(plan.to), plan.head and plan.head.born or now
  if plan.to ~= plan.from then rotate(plan.from, plan.to, born) end
  if plan.cleared then redis.call('DEL', name) end
  if plan.head and plan.head.moved then redis.call('HDEL', name, 'moved') end
  each('HDEL', name, plan.deletes)
  for _, word in ipairs({'born', text(born), 'seen', text(now)}) do
    plan.sets[#plan.sets + 1] = word
  end
  each('HSET', name, plan.sets)
  redis.call('EXPIRE', name, ttl(math.min(IDLE, born + LIFETIME - now)))
end
