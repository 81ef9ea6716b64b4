"""How an operation of the Lua library is called."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

_encode = msgspec.json.Encoder().encode


class Command(msgspec.Struct, omit_defaults=True, frozen=True):
    """Base of all commands. ``function`` is the registered name; ``write``: FCALL rather than FCALL_RO."""

    function: ClassVar[str]
    write: ClassVar[bool] = True
    documents: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[bool] = False
    """True when it may add an entity: such a call is refused when the server is out of memory."""

    def when_full(self) -> Command | None:
        """The command to run instead when the server is out of memory: one that surely adds nothing."""
        return None

    def completed(self, reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with what the library need not send back, because it stands in the command."""
        return reply

    def arguments(self) -> list[bytes | str]:
        """The control object and the documents, ready to follow ARGV[1]."""
        if not self.documents:
            return [_encode(self)]
        control = msgspec.to_builtins(self)
        texts: list[Any] = [control.pop(name, "") for name in self.documents]
        return [_encode(control), *texts]


def fields_of(command: Command) -> dict[str, Any]:
    """All fields of a command by their names, for another with the same."""
    return {name: getattr(command, name) for name in command.__struct_fields__}
