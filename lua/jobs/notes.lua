-- Notes of a job: lines of message (JSON string), tab, epoch ms, oldest first.

--- Appends a note with the present time.
---@param note string JSON string text, or empty
function notes.add(job, note)
  if note and note ~= "" then
    local before = job.notes and job.notes ~= "" and job.notes .. "\n" or ""
    jobs.set(job, "notes", before .. note .. "\t" .. clock.now)
  end
end

--- Notes of a client: those without a time get the present one, and all stand oldest first.
---@param text string lines: message as JSON string, tab, epoch ms or nothing
function notes.dated(text)
  local list = {}
  for line in texts.lines(text) do
    local message, added = string.match(line, "^(.*)\t(%d*)$")
    list[#list + 1] = { message = message, added = tonumber(added) or clock.now, place = #list }
  end
  table.sort(list, function(a, b)
    if a.added ~= b.added then
      return a.added < b.added
    end
    return a.place < b.place
  end)
  for i, note in ipairs(list) do
    list[i] = note.message .. "\t" .. string.format("%.0f", note.added)
  end
  return table.concat(list, "\n")
end
