"""The most redis.calls that an operation may make, in fixed scenarios on a library that was warmed once.

A call costs about half a microsecond of the one core that a router has: raise a number only for a reason. The
scenarios stand in tests/lua/scenarios.py.
"""

CALLS = {
    "agenda_due": 8,
    "agenda_due__close": 27,
    "assignment_close": 14,
    "assignment_close__next": 24,
    "assignment_complete": 5,
    "assignment_unassign": 22,
    "check": 16,
    "event_list": 3,
    "job_cancel": 14,
    "job_cancel__offered": 17,
    "job_create": 18,
    "job_create__exists": 3,
    "job_create__waiting": 15,
    "job_delete": 9,
    "job_list": 3,
    "job_position": 8,
    "job_read": 2,
    "job_update": 11,
    "offer_accept": 12,
    "offer_decline": 26,
    "policy_delete": 6,
    "policy_list": 3,
    "policy_read": 3,
    "policy_upsert": 5,
    "queue_delete": 9,
    "queue_list": 3,
    "queue_read": 2,
    "queue_statistics": 7,
    "queue_upsert": 8,
    "router_status": 2,
    "settings_write": 2,
    "worker_delete": 18,
    "worker_list": 5,
    "worker_read": 2,
    "worker_upsert": 17,
    "worker_upsert__labels": 19,
}
