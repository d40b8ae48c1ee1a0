-- Rearm: KEYS = the receipt and its visitor's index. A replay shows it once more (`Delivery.rearmed`).

local r, fresh = kept(arg()), number()
if r and (r.stage == LEASED or r.stage == SHOWN) then
  deliver(r, ARMED, 'armed', text(now), 'again', r.settled < now - fresh and '1' or '0')
  waiting(r)
end
return 'Done'
