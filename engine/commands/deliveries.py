"""What deliverers of events do with subscriptions."""

from __future__ import annotations

import msgspec

from engine.commands.base import Command


class SubscriptionClaim(Command, frozen=True):
    """Renew the lease of a deliverer, and take free subscriptions for it, up to its share of all."""

    function = "jr_subscription_claim"

    holder: str
    count: int
    lease_ms: int


class SubscriptionRelease(Command, frozen=True):
    """Give back subscriptions; ``leaves``: one portion of all that the deliverer has."""

    function = "jr_subscription_release"

    holder: str
    ids: list[str] = msgspec.field(default_factory=list)
    leaves: bool = False


class SubscriptionHeld(Command, frozen=True):
    """The subscriptions that a deliverer has."""

    function = "jr_subscription_held"
    write = False

    holder: str


class SubscriptionCommit(Command, frozen=True):
    """Write down what was done for a subscription since the last commit.

    token: of its taking. number: one more than that of the last commit; the same again does nothing again.
    cursor: number of the last entry that is done with; ahead: places (``<op>.<k>``) behind it that are, too.
    lost: the entries after the cursor are not kept any more.
    changes: JSON, see lua/subscriptions/commits.lua.
    """

    function = "jr_subscription_commit"
    documents = ("ahead", "changes", "error")

    id: str
    token: int
    number: int
    cursor: int
    lost: bool = False
    delivered: int = 0
    ahead: str = ""
    changes: str = "{}"
    error: str = ""


class SubscriptionDue(Command, frozen=True):
    """The first events of the lanes whose next try is due."""

    function = "jr_subscription_due"
    write = False

    id: str
    limit: int = 100


class SubscriptionLanes(Command, frozen=True):
    """The lanes in which events wait, some at a time; ``cursor`` is that of the last reply."""

    function = "jr_subscription_lanes"
    write = False

    id: str
    cursor: str = "0"
    limit: int = 500
