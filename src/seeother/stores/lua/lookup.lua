-- Lookup: KEYS = the token's rows, and the receipt of an echo. A read.

local token, variant, issued = KEYS[1], arg(), number()
local ask = {fingerprint = arg(), claim_id = '', patience = number(), page_keeping = flag()}

local function answer(row, fingerprint)
  if not row then return nil end
  ask.fingerprint = fingerprint
  local _, reply = move('claim', case_of_claim(row, ask))
  if reply == 'Settled' or reply == 'InFlight' or reply == 'InDoubt' then return told(reply, row) end
  return nil
end

-- The outcome behind the page that this was sent from, if it is the same input again.
local function echoed(receipt, digest, visitor, within)
  local found = redis.call('HMGET', receipt, 'visitor', 'echo', 'settled', 'token', 'variant', 'issued')
  if not found[1] or not found[4] then return nil end
  local settled = tonumber(found[3])
  if settled < now - RETENTION or settled < now - within then return nil end
  if found[1] ~= visitor or found[2] ~= digest then return nil end
  local row = met(PREFIX .. 't:' .. found[4], found[5] or '', tonumber(found[6]))
  return row and answer(row, row.fingerprint)
end

-- An answer without an outcome is a word, and has no first element.
local found = answer(met(token, variant, issued), ask.fingerprint)
if found and found[1] == 'Settled' then return found end
if KEYS[2] then
  local echo = echoed(KEYS[2], arg(), arg(), number())
  if echo and echo[1] == 'Settled' then return echo end
end
return found or 'Unknown'
