-- Close: KEYS = whatever of session and receipts there is.

local plan, left, lease_id = read_session(), read_receipt(), arg()
local shown, unshown = list(), list()
if plan.changed then return plan.changed end
merge(plan)
put(left)
for _, id in ipairs(shown) do acknowledge(id, lease_id) end
for _, id in ipairs(unshown) do give_back(id, lease_id) end
return 'Done'
