-- Where the messages of a receipt are; a replay needs no more of it.

local ARMED, LEASED, SHOWN, SILENT = '1', '2', '3', '4'

local function is_taken(receipt)
  local found = redis.call('HMGET', PREFIX .. 'r:' .. receipt, 'stage', 'settled')
  if not found[1] or tonumber(found[2]) < now - RETENTION then return false end
  return found[1] == LEASED or found[1] == SHOWN
end
