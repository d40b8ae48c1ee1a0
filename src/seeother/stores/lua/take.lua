-- Take: KEYS = the receipts. Each that still waits, to one page only.

local visitor, lease_id, seconds = arg(), arg(), number()
local out = {}
for _, id in ipairs(list()) do
  local r = kept(id)
  if r and r.visitor == visitor and waits(r) then
    lease(r, lease_id, seconds)
    out[#out + 1] = {id, redis.call('HGET', PREFIX .. 'r:' .. id, 'messages'), r.again}
  end
end
return out
