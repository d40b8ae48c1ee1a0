-- What a claim meets: `seeother.core.ledger._case_of_claim`, word for word.

local function case_of_settled(row, claim, same, age)
  if row.kind == 'rejected' then
    return same and age <= claim.patience and 'FINAL' or 'REOPENED'
  end
  if not same then return 'EDITED' end
  local over = row.page_keeping and claim.page_keeping and age > PAGE_KEEPING_SECONDS
  return over and 'REOPENED' or 'FINAL'
end

local function case_of_claim(row, claim)
  if not row then return 'ABSENT' end
  local same = row.fingerprint == claim.fingerprint
  if row.state == CLAIMED then
    if row.claim_id == claim.claim_id then return 'MINE' end
    if now < row.lease_until then return 'LIVE' end
    if row.outcome and not same then return 'EDITED' end
    local allowed = claim.takeover and (same or not claim.retry_safe)
    return allowed and 'TAKEABLE' or 'LAPSED'
  end
  if row.state == IN_DOUBT then
    return claim.retry_safe and same and row.tainted and 'TAKEABLE' or 'DOUBTFUL'
  end
  return case_of_settled(row, claim, same, now - row.settled_at)
end

-- An answer to a claim that is no grant; Settled says whether its message was taken by a page.
local function told(reply, row)
  if reply == 'Settled' then
    local taken = row.receipt and is_taken(row.receipt)
    return {reply, row.outcome, text(now - row.settled_at), taken and 1 or 0}
  end
  if reply == 'Edited' then return {reply, row.outcome, text(now - row.settled_at)} end
  return reply
end
