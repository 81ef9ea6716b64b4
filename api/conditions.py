"""Conditional requests: If-Match, If-None-Match and If-Unmodified-Since."""

from __future__ import annotations

from api.call import Call
from api.errors import PreconditionFailed
from api.wire.values import http_epoch

ANY = "*"


class Conditions:
    """The conditions that a request sets on what is stored."""

    __slots__ = ("match", "none_match", "unmodified_since")

    def __init__(self, call: Call):
        headers = call.headers
        self.match = _tags(headers.get(b"if-match"))
        self.none_match = _tags(headers.get(b"if-none-match"))
        self.unmodified_since = (
            None if self.match is not None else _seconds(headers.get(b"if-unmodified-since"))
        )

    @property
    def need_record(self) -> bool:
        """Whether what is stored must be read before anything is written."""
        by_tag = self.none_match is not None and self.none_match != [ANY]
        return self.match is not None or by_tag or self.unmodified_since is not None

    def check(self, etag: str | None, modified_ms: int) -> None:
        """Refuses the request when a condition does not hold; no ETag means that nothing is stored."""
        if self.match is not None and not _names(self.match, etag):
            raise PreconditionFailed("The condition 'If-Match' is not met.")
        if self.none_match is not None and _names(self.none_match, etag):
            raise PreconditionFailed("The condition 'If-None-Match' is not met.")
        if self.unmodified_since is not None and etag and modified_ms // 1000 > self.unmodified_since:
            raise PreconditionFailed("The condition 'If-Unmodified-Since' is not met.")


def _tags(header: bytes | None) -> list[str] | None:
    if header is None:
        return None
    return [tag.strip() for tag in header.decode("latin-1").split(",")]


def _names(tags: list[str], etag: str | None) -> bool:
    """Whether a list of ETags names this one; clients that leave the quotes out are understood."""
    return etag is not None and any(tag in (ANY, etag) or f'"{tag}"' == etag for tag in tags)


def _seconds(header: bytes | None) -> int | None:
    """Epoch seconds; a date that cannot be read sets no condition, as HTTP has it."""
    return http_epoch(header) if header else None
