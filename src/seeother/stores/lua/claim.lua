-- Claim: KEYS = the token's rows.

local token, variant, issued = KEYS[1], arg(), number()
local claim = {
  fingerprint = arg(), claim_id = arg(), lease = number(), patience = number(), takeover = flag(),
  retry_safe = flag(), page_keeping = flag(),
}
local keeps = flag()

-- Most tokens have no row yet: then one question is enough.
local rows = redis.call('HLEN', token)
local row = rows > 0 and met(token, variant, issued) or nil
if not row and keeps and rows >= MAX_ROWS_PER_TOKEN then return 'SentTooOften' end
local to, reply = move('claim', case_of_claim(row, claim))
if to == CLAIMED then
  local before = row or {fence = 0}
  local taken_over = row and row.state ~= SETTLED
  -- Page-keeping, and over: what was accepted stays so, whatever becomes of the new attempt.
  local accepted = before.outcome and before.kind ~= 'rejected' or false
  row = {
    state = CLAIMED, fence = before.fence + 1, claim_id = claim.claim_id,
    fingerprint = claim.fingerprint, lease_until = now + claim.lease,
    tainted = before.tainted or (taken_over and claim.retry_safe) or false,
    page_keeping = claim.page_keeping, outcome = accepted and before.outcome,
    settled_at = accepted and before.settled_at or 0, kind = accepted and before.kind,
    receipt = accepted and before.receipt,
  }
elseif to == IN_DOUBT then
  row.state = IN_DOUBT
end
if to ~= KEEP then keep(token, variant, row, issued) end
if reply == 'Granted' then return {reply, row.fence, row.claim_id} end
return told(reply, row)
