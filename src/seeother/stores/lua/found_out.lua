-- For operators: they found out what a doubt, or a claim that ran out, came to. KEYS = its rows.

local token, variant, issued = KEYS[1], arg(), number()
local ask = {verb = 'resolve', outcome = arg(), kind = arg(), receipt = arg()}
local name = arg()

local row = row_of(token, variant)
local function go(to) row = moved(row, ask, to) end

if row and row.state == CLAIMED and not row.outcome and row.lease_until <= now then
  go((move('doubt', row.tainted and 'TAINTED' or 'HELD')))
end
local to, reply = move(name, case_of_holder(row, ask))
if reply == 'Fenced' then return fenced(row, ask) end
go(to)
keep(token, variant, row, issued)
return reply
