-- What every script begins with: its time and its arguments; the limits of the store, as far as it
-- needs them, stand between the two (`redis_scripts`).
--
-- KEYS declares every key that is known before the script runs; they are spelled again here from
-- PREFIX, because a receipt, a forwarded session or an old draft is known only once its row is
-- read. All of them carry one hash tag, so they are in one slot (https://redis.io/docs/latest/
-- operate/oss_and_stack/reference/cluster-spec/#hash-tags), and a node that does not have them
-- refuses instead of calling them absent.

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local position = LIMITS
local function arg()
  position = position + 1
  return ARGV[position]
end
local function number() return tonumber(arg()) end
local function flag() return arg() == '1' end
local function list()
  local out = {}
  for i = 1, number() do out[i] = arg() end
  return out
end

-- A float as text that reads back as the same float: replies and fields of Redis know integers only.
local NOW = string.format('%.17g', now)
local function text(float) return float == now and NOW or string.format('%.17g', float) end
-- Whole seconds to live, at least one: 0 would delete at once.
local function ttl(seconds) return string.format('%d', math.max(1, math.ceil(seconds))) end
