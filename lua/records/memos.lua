-- Memos: what was made of a text is remembered under that text, so it can never be stale. Bounded: a full memo starts anew.
-- A memo is a table { size = 0, of = {} } in its module; it is read directly as memo.of[text];
-- `most` bounds one whose values are large, or the sum of their weights.

--- Remembers a value under the text it was made of.
---@param memo table
---@param text string
---@param weight number|nil how much of the bound it takes, 1 unless said
---@return any value
function memos.put(memo, text, value, weight)
  if memo.size >= (memo.most or limits.MEMO) then
    memo.size, memo.of = 0, {}
  end
  memo.size = memo.size + (weight or 1)
  memo.of[text] = value
  return value
end
