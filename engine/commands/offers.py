"""Offers of jobs to workers."""

from __future__ import annotations

from engine.commands.base import Command


class OfferAccept(Command, frozen=True):
    function = "jr_offer_accept"

    worker: str
    offer: str
    request_id: str = ""


class OfferDecline(Command, frozen=True):
    """retry_at: epoch ms when the worker may be asked again; 0 = not before it registers anew."""

    function = "jr_offer_decline"

    worker: str
    offer: str
    retry_at: int = 0
    request_id: str = ""
