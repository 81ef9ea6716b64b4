-- Memos: what was made of a text is remembered under that text, so it can never be stale. Bounded: a full memo starts anew.
-- A memo is a table { size = 0, of = {} } in its module; it is read directly as memo.of[text];
-- `most` bounds one whose values are large.

--- Remembers a value under the text it was made of.
---@param memo table
---@param text string
---@return any value
function memos.put(memo, text, value)
  if memo.size >= (memo.most or limits.MEMO) then
    memo.size, memo.of = 0, {}
  end
  memo.size = memo.size + 1
  memo.of[text] = value
  return value
end
