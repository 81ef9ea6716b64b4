-- The statuses of a job: its one table of legal transitions, and what some of them have in common.

--- From each status to those that may follow ("" = no job yet, or a new life).
statuses.TRANSITIONS = {
  [""] = { created = true, pendingClassification = true, pendingSchedule = true, waitingForActivation = true },
  created = { pendingClassification = true, queued = true, cancelled = true },
  pendingClassification = {
    queued = true,
    classificationFailed = true,
    scheduled = true,
    waitingForActivation = true,
    cancelled = true,
  },
  classificationFailed = {
    pendingClassification = true,
    queued = true,
    scheduled = true,
    waitingForActivation = true,
    cancelled = true,
  },
  pendingSchedule = { scheduled = true },
  scheduled = { waitingForActivation = true, pendingClassification = true, queued = true, cancelled = true },
  waitingForActivation = { pendingClassification = true, queued = true, scheduled = true, cancelled = true },
  queued = {
    pendingClassification = true,
    assigned = true,
    scheduled = true,
    waitingForActivation = true,
    cancelled = true,
  },
  assigned = {
    completed = true,
    pendingClassification = true,
    queued = true,
    waitingForActivation = true,
    cancelled = true,
  },
  completed = { closed = true, cancelled = true },
  closed = {},
  cancelled = {},
}

--- Statuses in which nothing more happens to a job.
statuses.FINISHED = { closed = true, cancelled = true }

--- Statuses of jobs outside the order of their queue that a client may activate.
statuses.ASIDE = { scheduled = true, waitingForActivation = true }
