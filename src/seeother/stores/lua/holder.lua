-- What a holder or an operator meets: `seeother.core.ledger._case_of_holder`, word for word.

local function case_of_holder(row, ask)
  if not row then return 'LOST' end
  if ask.verb == 'resolve' then return row.state == IN_DOUBT and 'DOUBTFUL' or 'LOST' end
  if ask.fence ~= 0 and ask.fence ~= row.fence or row.claim_id ~= ask.claim_id then return 'LOST' end
  local settles = ask.verb == 'settle'
  if settles and row.state == SETTLED and row.outcome == ask.outcome then
    return ask.keep and 'MINE' or 'LOST'
  end
  local giving_back = settles and not ask.keep
  if row.tainted and giving_back and row.state ~= SETTLED then return 'TAINTED' end
  if row.state == IN_DOUBT and ask.verb ~= 'renew' then return 'DOUBTFUL' end
  if row.state ~= CLAIMED then return 'LOST' end
  return row.tainted and 'TAINTED' or 'HELD'
end

-- Who lost the row gets the outcome of the winner, unless the winner sent something else.
local function fenced(row, ask)
  if not row then return 'Fenced' end
  if ask.verb == 'settle' and ask.fingerprint ~= row.fingerprint then return {'Fenced', '', 1} end
  return {'Fenced', row.state == SETTLED and row.outcome or '', 0}
end

-- The row as this ask leaves it; nil: there is none any more.
local function moved(row, ask, to)
  if to == DELETE then
    if not row.outcome then return nil end
    row.state = SETTLED
    return row
  end
  row.state = to
  if to == CLAIMED then
    row.lease_until = now + ask.lease
  elseif to == SETTLED then
    row.outcome, row.kind, row.receipt = ask.outcome, ask.kind, ask.receipt ~= '' and ask.receipt
    row.settled_at = now
    -- Only the answer tells whether a script that may stay on its page has left it.
    if ask.verb == 'settle' then row.page_keeping = row.page_keeping and ask.page_keeping end
  end
  return row
end
