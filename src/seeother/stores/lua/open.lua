-- Open: KEYS = whatever of the session, the marked receipt and the visitor's index there is. A read.

local visitor, sid, mark = arg(), arg(), arg()
local messages, orphans, age = flag(), flag(), number()
local draft, known, waiting_ids, seen = '', 0, {}, {}

local function add(id)
  if not seen[id] then waiting_ids[#waiting_ids + 1] = id end
  seen[id] = true
end

local function add_orphans()
  local found, from = 0, 0
  repeat
    local ids = redis.call('ZRANGE', index(visitor), from, from + CHUNK - 1)
    for _, id in ipairs(ids) do
      local r = kept(id)
      if found < ORPHANS and r and waits(r) and r.armed <= now - age then
        found = found + 1
        add(id)
      end
    end
    from = from + CHUNK
  until #ids < CHUNK or found == ORPHANS
end

if visitor ~= '' then
  local r = mark ~= '' and kept(mark)
  if r and r.visitor == visitor then
    known = 1
    if messages and r.stage == LEASED and not waits(r) then known = 2 end
    draft = redis.call('HGET', PREFIX .. 'r:' .. mark, 'draft') or ''
    if messages and waits(r) then add(mark) end
  end
  if orphans then add_orphans() end
end

-- Flat, because an array in an array is a packet of its own; the session's age is '' where there is
-- none. What stands in a session beside the app's keys is not told.
local out = {draft, known, '', #waiting_ids}
for _, id in ipairs(waiting_ids) do out[#out + 1] = id end

local words, own = sid ~= '' and redis.call('HGETALL', name_of(sid)) or {}, {}
for i = 1, #words, 2 do
  if string.byte(words[i]) == APPS then
    out[#out + 1] = words[i]
    out[#out + 1] = words[i + 1]
  else
    own[words[i]] = words[i + 1]
  end
end
local h = own.born and {born = tonumber(own.born), seen = tonumber(own.seen), moved = own.moved}
if not (h and alive(h)) then return {draft, known, '', #waiting_ids, unpack(waiting_ids)} end
out[3] = text(now - h.seen)
return out
