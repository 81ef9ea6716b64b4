"""Which primary has the keys of which tenant."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from redis.crc import key_slot

from engine.address import Address

SLOTS = 16_384


class Layout(msgspec.Struct, frozen=True):
    """Ranges of slots, first and last of each, with the primary that has them; in order."""

    ranges: tuple[tuple[int, int, Address], ...]

    @classmethod
    def single(cls, address: Address) -> Layout:
        """All keys at one server."""
        return cls(((0, SLOTS - 1, address),))

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int, Address]]) -> Layout:
        """Ranges in any order."""
        return cls(tuple(sorted(ranges, key=lambda one: one[0])))

    def primary_of(self, root: str) -> Address | None:
        """The primary with the keys under a root; None when no server has its slot."""
        slot = key_slot(root.encode("utf-8", "surrogateescape"))
        return next((address for first, last, address in self.ranges if first <= slot <= last), None)

    @property
    def primaries(self) -> tuple[Address, ...]:
        """Every primary that has slots, once."""
        return tuple(dict.fromkeys(address for _, _, address in self.ranges))

    @property
    def missing(self) -> int:
        """The number of slots that no server has."""
        return SLOTS - sum(last - first + 1 for first, last, _ in self.ranges)
