-- Renew, Abandon, Doubt, Resolve: KEYS = the token's rows.

local token, variant, issued = KEYS[1], arg(), number()
local ask = {verb = arg(), claim_id = arg(), fence = number(), lease = number()}
ask.outcome, ask.kind, ask.receipt = arg(), arg(), arg()
local name = arg()

local row = met(token, variant, issued)
local to, reply = move(name, case_of_holder(row, ask))
if reply == 'Fenced' then return fenced(row, ask) end
if to ~= KEEP then keep(token, variant, moved(row, ask, to), issued) end
return reply
