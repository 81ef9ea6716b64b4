"""The store: runs commands in the Lua library and gives their replies."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import hiredis

from engine.commands import Command
from engine.connection import Connection
from engine.errors import Failed, NewerLibrary, OutOfMemory, Unavailable, not_let_in, refusal_of
from engine.library import VERSION, library, replaces, version_of
from engine.servers import Servers

Reply = dict[str, Any]
_Has = Literal["loaded", "present", "newer"]

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
    "ASK",
)

LOADS = 3
"""How often the library is loaded for one call, when it is gone again each time."""


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
    if (closed := not_let_in(message)) is not None:
        return closed
    if message.startswith("OOM"):
        return OutOfMemory("the store is full: nothing can be added until something is removed")
    if message.startswith(_NOT_NOW):
        # MOVED and ASK name an address, which is nobody's business
        shown = message.partition(" ")[0] if message.startswith(("MOVED", "ASK")) else message
        return Unavailable(f"the store cannot answer now ({shown}); the call was not executed")
    return Failed(f"{what}: {library().explain(message)}")


def _arguments(root: str, command: Command, now_ms: int) -> tuple[bytes | str, ...]:
    function = "FCALL" if command.write else "FCALL_RO"
    return (function, command.function, "1", root, str(now_ms), *command.arguments())


class Store:
    """Commands over auto-pipelined connections, each to the primary that has the keys of its tenant."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self._loading: dict[Connection, asyncio.Task[_Has]] = {}

    @classmethod
    def at(cls, url: str, *, timeout: float = 5.0) -> Store:
        """A store at a URL, as it is. Raises ValueError."""
        return cls(Servers.of(url, timeout=timeout))

    @classmethod
    async def open(cls, url: str, *, timeout: float = 5.0) -> Store:
        """A store at a URL; the library is loaded if need be. Raises Unavailable, ValueError."""
        store = cls.at(url, timeout=timeout)
        try:
            await store.load(everywhere=False)
        except BaseException:
            await store.close()
            raise
        return store

    async def run(self, root: str, command: Command, now_ms: int = 0) -> Reply:
        """Runs one command.

        ``now_ms`` is the time it happens at, 0 for the server's clock. Raises Refused (nothing has changed),
        Unavailable (unknown outcome, unless its text says otherwise), OutOfMemory, NewerLibrary and Failed.
        """
        arguments = _arguments(root, command, now_ms)
        asked, loads, newer, full = False, 0, False, False
        while True:
            connection = self.servers.known.get(root) or await self.servers.find(root)
            try:
                return command.completed(named(await connection.begin(*arguments)))
            except hiredis.ReplyError as error:
                message = str(error)
            # not executed, since the server has not got the keys, or not the library: tried again
            if "unction not found" in message:
                if newer:
                    raise NewerLibrary(
                        "the store has a newer library than this process, and that cannot do what is asked; "
                        "the call was not executed"
                    )
                if loads == LOADS:
                    raise Unavailable(
                        "the store loses the library again and again; the call was not executed"
                    )
                newer = await self._load(connection) == "newer"
                loads += 1
            elif not asked and message.startswith("MOVED") and self.servers.moved(connection, message):
                await self.servers.look()
                asked = True
            else:
                failure = self._error(connection, command.function, message)
                instead = command.when_full() if isinstance(failure, OutOfMemory) and not full else None
                if instead is None:
                    raise failure
                command, full = instead, True
                arguments = _arguments(root, command, now_ms)

    async def ask(self, root: str, *arguments: str) -> Any:
        """The reply to a command of the server that has a tenant's keys.

        Raises Unavailable, OutOfMemory and Failed.
        """
        connection = self.servers.known.get(root) or await self.servers.find(root)
        try:
            return await connection.call(*arguments)
        except hiredis.ReplyError as error:
            raise self._error(connection, arguments[0], str(error)) from None

    def _error(self, connection: Connection, what: str, message: str) -> Exception:
        self.servers.moved(connection, message)
        return _translated(what, message)

    async def load(self, *, everywhere: bool = True) -> bool:
        """Loads the library into every primary that has not got it, or a newer one. True when one was loaded.

        Raises Failed; Unavailable when it cannot be loaded into one now, or into none unless ``everywhere``.
        """
        loaded = False
        failures: list[Unavailable] = []
        primaries = await self.servers.primaries()
        for connection in primaries.values():
            try:
                loaded |= await self._load(connection) == "loaded"
            except Unavailable as error:
                failures.append(error)
        if failures and (everywhere or len(failures) == len(primaries)):
            raise failures[0]
        return loaded

    async def load_at(self, root: str) -> bool:
        """The same for the primary that has a tenant's keys alone."""
        return await self._load(await self.servers.find(root)) == "loaded"

    async def _load(self, connection: Connection) -> _Has:
        """What the server has of our library now. Calls that miss it at the same time share one look."""
        loading = self._loading.get(connection)
        if loading is None:
            loading = self._loading[connection] = asyncio.create_task(_loaded(connection))
            loading.add_done_callback(lambda done: self._load_has_ended(connection, done))
        try:
            return await asyncio.shield(loading)
        except hiredis.ReplyError as error:
            message = str(error)
        if (closed := not_let_in(message)) is not None:
            raise closed
        if message.startswith((*_NOT_NOW, "OOM")):
            self.servers.moved(connection, message)
            raise Unavailable(f"the store cannot answer now ({message})")
        hint = (
            "; 'jobrouter worker' and 'api' load it when they start, as users who may ('jobrouter acl')"
            if message.startswith("NOPERM")
            else ""
        )
        raise Failed(f"the library cannot be loaded: {library().explain(message)}{hint}")

    def _load_has_ended(self, connection: Connection, done: asyncio.Task[_Has]) -> None:
        del self._loading[connection]
        if not done.cancelled():
            # retrieved, also when all who wanted it have gone away
            done.exception()

    async def close(self) -> None:
        """Closes the connections."""
        await self.servers.close()


async def _loaded(connection: Connection) -> _Has:
    """Looks, and loads it if need be. A load takes the server tens of milliseconds, in which it does nothing
    else: so not in place of one that another process has loaded since the look."""
    ours = library()
    reply = await connection.call("FUNCTION", "LIST", "LIBRARYNAME", "jr", "WITHCODE")
    if reply and not replaces(code := _code_of(reply[0]), ours):
        return "newer" if version_of(code)[0] > VERSION else "present"
    try:
        await connection.call("FUNCTION", "LOAD", *(("REPLACE",) if reply else ()), ours.source)
    except hiredis.ReplyError as error:
        if "already exists" not in str(error):
            raise
        return "present"
    return "loaded"


def _code_of(entry: list[Any]) -> str:
    return str(dict(zip(entry[::2], entry[1::2], strict=True)).get("library_code", ""))
