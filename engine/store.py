"""The store: runs commands in the Lua library and gives their replies."""

from __future__ import annotations

from typing import Any

import hiredis

from engine.address import Address
from engine.commands import Command
from engine.connection import Connection
from engine.errors import Failed, NewerLibrary, OutOfMemory, Unavailable, refusal_of
from engine.library import library, replaces

Reply = dict[str, Any]

_NOT_NOW = (
    "LOADING",
    "READONLY",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "TRYAGAIN",
    "BUSY",
    "MISCONF",
    "NOREPLICAS",
    "MOVED",
)
_ELSEWHERE = ("READONLY", "MOVED")


def root_of(tenant: str) -> str:
    """The root of all keys of a tenant."""
    return f"jr:{{{tenant}}}"


def named(flat: list[Any]) -> Reply:
    """A flat reply name, value, name, value … as dict; ``rows`` are dicts themselves."""
    reply = dict(zip(flat[::2], flat[1::2], strict=True))
    if "rows" in reply:
        reply["rows"] = [named(row) for row in reply["rows"]]
    return reply


def translated(command: Command, message: str) -> Exception:
    """An error reply to a command as exception."""
    return _translated(command.function, message)


def _translated(what: str, message: str) -> Exception:
    refused = refusal_of(message)
    if refused is not None:
        return refused
    if message.startswith("OOM"):
        return OutOfMemory("the store is full: nothing can be added until something is removed")
    if message.startswith(_NOT_NOW):
        return Unavailable(f"the store cannot answer now ({message}); the call was not executed")
    return Failed(f"{what}: {library().explain(message)}")


class Store:
    """Commands over one auto-pipelined connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    async def open(cls, url: str, *, timeout: float = 5.0) -> Store:
        """A store at a URL; the library is loaded if need be. Raises Unavailable."""
        store = cls(Connection(Address.parse(url), timeout=timeout))
        try:
            await store.load()
        except BaseException:
            await store.close()
            raise
        return store

    async def run(self, root: str, command: Command, now_ms: int = 0) -> Reply:
        """Runs one command.

        ``now_ms`` is the time it happens at, 0 for the server's clock. Raises Refused (nothing has changed),
        Unavailable (unknown outcome, unless its text says otherwise), OutOfMemory, NewerLibrary and Failed.
        """
        try:
            return await self._run(root, command, now_ms)
        except OutOfMemory:
            instead = command.when_full()
            if instead is None:
                raise
            return await self._run(root, instead, now_ms)

    async def _run(self, root: str, command: Command, now_ms: int) -> Reply:
        function = "FCALL" if command.write else "FCALL_RO"
        arguments = (function, command.function, "1", root, str(now_ms), *command.arguments())
        try:
            return command.completed(named(await self.connection.call(*arguments)))
        except hiredis.ReplyError as error:
            if "unction not found" not in str(error):
                raise self._error(command.function, str(error)) from None
        # flushed, or another server after a failover: it has not been executed
        loaded = await self.load()
        try:
            return command.completed(named(await self.connection.call(*arguments)))
        except hiredis.ReplyError as error:
            if not loaded and "unction not found" in str(error):
                raise NewerLibrary(
                    "the store has a newer library than this process, and that cannot do what is asked; "
                    "the call was not executed"
                ) from None
            raise self._error(command.function, str(error)) from None

    async def ask(self, *arguments: str) -> Any:
        """The reply to a command of the server itself. Raises Unavailable, OutOfMemory and Failed."""
        try:
            return await self.connection.call(*arguments)
        except hiredis.ReplyError as error:
            raise self._error(arguments[0], str(error)) from None

    def _error(self, what: str, message: str) -> Exception:
        if message.startswith(_ELSEWHERE):
            self.connection.drop()
        return _translated(what, message)

    async def load(self) -> bool:
        """Loads the library unless the server has it, or a newer one. True when it was loaded."""
        ours = library()
        try:
            reply = await self.connection.call("FUNCTION", "LIST", "LIBRARYNAME", "jr", "WITHCODE")
            if reply and not replaces(_code_of(reply[0]), ours):
                return False
            await self.connection.call("FUNCTION", "LOAD", "REPLACE", ours.source)
        except hiredis.ReplyError as error:
            message = str(error)
            if message.startswith((*_NOT_NOW, "OOM")):
                raise Unavailable(f"the store cannot answer now ({message})") from None
            raise Failed(f"the library cannot be loaded: {ours.explain(message)}") from None
        return True

    async def close(self) -> None:
        """Closes the connection."""
        await self.connection.close()


def _code_of(entry: list[Any]) -> str:
    return str(dict(zip(entry[::2], entry[1::2], strict=True)).get("library_code", ""))
