"""One struct per operation of the Lua library: its name, its control fields, its documents.

A command becomes one FCALL (FCALL_RO for a read): KEYS[1] is the tenant's root, ARGV[1] the time in epoch
milliseconds (0 = the server's clock), ARGV[2] the control fields as one JSON object (fields at their default
are left out), and the rest the user's documents, verbatim, in the order of ``documents``. The formats of
documents are those of ``engine.model``; what each operation does, replies and refuses stands at the top of
its file in ``lua/ops``.
"""

from engine.commands.assignments import AssignmentClose, AssignmentComplete, AssignmentUnassign
from engine.commands.base import Command
from engine.commands.dead_letters import DeadLetterList, DeadLetterReplay
from engine.commands.deliveries import (
    SubscriptionClaim,
    SubscriptionCommit,
    SubscriptionDue,
    SubscriptionHeld,
    SubscriptionLanes,
    SubscriptionRelease,
)
from engine.commands.events import EventList, ObserverLease
from engine.commands.expressions import ExpressionEvaluate
from engine.commands.jobs import (
    JobCancel,
    JobCandidates,
    JobCreate,
    JobDelete,
    JobExplain,
    JobHistory,
    JobList,
    JobPosition,
    JobPreview,
    JobRead,
    JobReclassify,
    JobUpdate,
)
from engine.commands.offers import OfferAccept, OfferDecline
from engine.commands.policies import PolicyDelete, PolicyList, PolicyRead, PolicyUpdate, PolicyUpsert
from engine.commands.queues import (
    QueueDelete,
    QueueList,
    QueueLoad,
    QueueOverview,
    QueueRead,
    QueueStatistics,
    QueueUpdate,
    QueueUpsert,
)
from engine.commands.router import AgendaDue, AllowanceLease, Check, RouterRights, RouterStatus, SettingsWrite
from engine.commands.subscriptions import (
    SubscriptionConfirm,
    SubscriptionDelete,
    SubscriptionList,
    SubscriptionRead,
    SubscriptionUpdate,
    SubscriptionUpsert,
)
from engine.commands.tasks import TaskAnswer, TaskLease
from engine.commands.workers import (
    WorkerDelete,
    WorkerExplain,
    WorkerHistory,
    WorkerList,
    WorkerOverview,
    WorkerRead,
    WorkerUpdate,
    WorkerUpsert,
)

__all__ = [
    "AgendaDue",
    "AllowanceLease",
    "AssignmentClose",
    "AssignmentComplete",
    "AssignmentUnassign",
    "Check",
    "Command",
    "DeadLetterList",
    "DeadLetterReplay",
    "EventList",
    "ExpressionEvaluate",
    "JobCancel",
    "JobCandidates",
    "JobCreate",
    "JobDelete",
    "JobExplain",
    "JobHistory",
    "JobList",
    "JobPosition",
    "JobPreview",
    "JobRead",
    "JobReclassify",
    "JobUpdate",
    "ObserverLease",
    "OfferAccept",
    "OfferDecline",
    "PolicyDelete",
    "PolicyList",
    "PolicyRead",
    "PolicyUpdate",
    "PolicyUpsert",
    "QueueDelete",
    "QueueList",
    "QueueLoad",
    "QueueOverview",
    "QueueRead",
    "QueueStatistics",
    "QueueUpdate",
    "QueueUpsert",
    "RouterRights",
    "RouterStatus",
    "SettingsWrite",
    "SubscriptionClaim",
    "SubscriptionCommit",
    "SubscriptionConfirm",
    "SubscriptionDelete",
    "SubscriptionDue",
    "SubscriptionHeld",
    "SubscriptionLanes",
    "SubscriptionList",
    "SubscriptionRead",
    "SubscriptionRelease",
    "SubscriptionUpdate",
    "SubscriptionUpsert",
    "TaskAnswer",
    "TaskLease",
    "WorkerDelete",
    "WorkerExplain",
    "WorkerHistory",
    "WorkerList",
    "WorkerOverview",
    "WorkerRead",
    "WorkerUpdate",
    "WorkerUpsert",
]
