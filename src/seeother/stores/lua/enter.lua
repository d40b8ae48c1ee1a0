-- A process begins: how long rows are kept, by the app that needs them longest. KEYS = that number.

local known = tonumber(redis.call('GET', KEYS[1]) or 0)
if RETENTION > known then
  known = RETENTION
  redis.call('SET', KEYS[1], text(known))
end
return text(known)
