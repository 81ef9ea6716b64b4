"""Subscriptions to events, as their owners see them."""

from __future__ import annotations

from engine.commands.base import Command, fields_of


class SubscriptionUpsert(Command, frozen=True):
    """Create (doc = 0) or replace a subscription; document and secret as engine.subscriptions has them.

    after: entry after which a new one begins; 0 = the oldest kept, -1 = now. target: what its endpoint has to
    agree to; another one than it has agreed to is asked for, and ``code`` is sent along. origin: URL under
    which endpoints reach this router.
    """

    function = "jr_subscription_upsert"
    creates = True
    documents = ("document", "secret", "code")

    id: str
    doc: int = 0
    rev: int = -1
    enabled: bool = True
    after: int = -1
    target: str = ""
    origin: str = ""
    document: str = ""
    secret: str = ""
    code: str = ""

    def when_full(self) -> Command | None:
        return SubscriptionUpdate(**fields_of(self)) if self.doc else None


class SubscriptionUpdate(SubscriptionUpsert, frozen=True):
    """Replace a subscription: what an upsert becomes when the server is full."""

    function = "jr_subscription_update"
    creates = False


class SubscriptionRead(Command, frozen=True):
    function = "jr_subscription_read"
    write = False

    id: str
    secrets: bool = False


class SubscriptionDelete(Command, frozen=True):
    function = "jr_subscription_delete"

    id: str


class SubscriptionList(Command, frozen=True):
    """limit: at most 100."""

    function = "jr_subscription_list"
    write = False

    limit: int = 100
    cursor: int = 0


class SubscriptionConfirm(Command, frozen=True):
    """Agree to a subscription by the code that its endpoint was sent; or ``look`` whether it is valid."""

    function = "jr_subscription_confirm"
    documents = ("code",)

    id: str
    code: str = ""
    look: bool = False
