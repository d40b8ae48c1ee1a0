-- For operators: every row under these keys, as it is. KEYS = rows of tokens.

local out = {}
for _, token in ipairs(KEYS) do
  for _, variant in ipairs(redis.call('HKEYS', token)) do
    local fine, row = pcall(row_of, token, variant)
    if fine and row and row.state then
      local lapsed = row.state == CLAIMED and not row.outcome and row.lease_until <= now
      local in_question = lapsed or row.state == IN_DOUBT
      out[#out + 1] = {
        token, variant, row.state, row.fence, row.outcome or '', in_question and 1 or 0,
      }
    else
      out[#out + 1] = {token, variant, '', 0, '', 0}
    end
  end
end
return out
