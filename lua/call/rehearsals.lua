-- Rehearsals: a call that changes records but never saves them. What would be written beside records at once is left out, so
-- the code that acts can tell what it would do.
--
-- A table of its own: one key more makes that of `op` grow and shrink with each call, which costs 2 % of a life cycle.

--- Whether this call rehearses.
rehearsals.on = false

--- Starts a call.
function rehearsals.begin()
  rehearsals.on = false
end

--- From now on this call rehearses.
function rehearsals.start()
  rehearsals.on = true
end
