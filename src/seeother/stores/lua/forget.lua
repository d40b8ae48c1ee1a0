-- For operators: delete what is kept of one visitor. KEYS = receipts, whosesoever they are.

local visitor, count = arg(), 0
for _, name in ipairs(KEYS) do
  if redis.call('HGET', name, 'visitor') == visitor then
    forget(string.sub(name, #PREFIX + 3))
    count = count + 1
  end
end
return count
