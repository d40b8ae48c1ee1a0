-- Settle: KEYS = the token's rows, then what `read_session` and `read_receipt` are about.
-- Everything is read and decided before anything is written; the row is written last.

local token, variant, issued = KEYS[1], arg(), number()
local ask = {
  verb = 'settle', claim_id = arg(), fence = number(), fingerprint = arg(), outcome = arg(),
  kind = arg(), receipt = arg(), keep = flag(), page_keeping = flag(),
}
local plan, left = read_session(), read_receipt()

local row = met(token, variant, issued)
local to, reply = move(ask.keep and 'settle' or 'release', case_of_holder(row, ask))
if reply == 'Fenced' then return fenced(row, ask) end
if to == KEEP then return reply end
if plan.changed then return plan.changed end
merge(plan)
put(left)
keep(token, variant, moved(row, ask, to), issued)
return reply
