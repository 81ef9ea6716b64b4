"""The Lua files as one Redis Functions library, and its error lines mapped back to the files."""

from __future__ import annotations

import bisect
import functools
import hashlib
import re
import textwrap
from pathlib import Path

import msgspec

VERSION = 1
"""Raised with every release that changes the library; a loader never replaces a newer one."""

_HEADER = re.compile(r"^-- version (\d+) digest (\w+)$", re.MULTILINE)
_LINE = re.compile(r"@?user_function:(\d+)")
_CALL = re.compile(r'\bredis\.call\(\s*"([A-Z]+)"')


BUILTINS = (
    *("string", "math", "table", "cjson", "struct", "error", "ipairs", "next", "pairs", "pcall", "select"),
    *("setmetatable", "tonumber", "tostring", "type", "unpack"),
)
"""What the library uses of Lua and the server, beside ``redis``.

Servers keep these behind two tables and a metatable, and show only ``redis`` while a library loads. So they
are locals of the library, which its first call sets: that is 2 % of a life cycle.
"""


class Library(msgspec.Struct, frozen=True):
    """The text of the library, and where each of its files begins in it."""

    source: str
    digest: str
    starts: tuple[int, ...]
    files: tuple[str, ...]

    @property
    def commands(self) -> frozenset[str]:
        """The server's commands that its functions call, in small letters; each call names its own."""
        return frozenset(name.lower() for name in _CALL.findall(self.source))

    def place(self, line: int) -> tuple[str, int]:
        """File and line of a line of the library."""
        index = bisect.bisect_right(self.starts, line) - 1
        return self.files[index], line - self.starts[index] + 1

    def explain(self, message: str) -> str:
        """An error message of the server with its lines as places in the files."""
        return _LINE.sub(lambda match: "{}:{}".format(*self.place(int(match[1]))), message)


def lua_directory() -> Path:
    """Where the Lua files are: beside the installed package, or in the source tree."""
    installed = Path(__file__).parent / "lua"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "lua"


def assemble(directory: Path, replaced: dict[str, str] | None = None) -> Library:
    """One library out of many files.

    Every module file fills the table of its name, and all tables are declared first, so the order of files
    never matters; each file is a block of its own, so its locals stay its own. ``replaced`` gives other texts
    for files.
    """
    operations = sorted((directory / "ops").glob("*.lua"))
    modules = sorted({*directory.rglob("*.lua")} - {*operations})
    texts = {str(path.relative_to(directory)): path.read_text() for path in (*modules, *operations)}
    whole = "\0".join(f"{name}\0{text}" for name, text in texts.items())
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    texts.update(replaced or {})
    lines = [
        "#!lua name=jr",
        f"-- version {VERSION} digest {digest}",
        f'local LIBRARY_VERSION, LIBRARY_DIGEST = {VERSION}, "{digest}"',
        *_builtins(),
        *(f"local {path.stem} = {{}}" for path in modules),
    ]
    starts, files = [1], ["<header>"]
    for name, text in texts.items():
        lines.append("do")
        starts.append(len(lines) + 1)
        files.append(name)
        lines += text.splitlines()
        lines.append("end")
    return Library("\n".join(lines) + "\n", digest, tuple(starts), tuple(files))


def _builtins() -> list[str]:
    names = textwrap.wrap(", ".join(("redis", *BUILTINS)), 100)
    return [
        *("local function builtins()", "return", *names, "end"),
        *("local", *names, "= redis"),
        *("local function bind()", *names, "= builtins()", "end"),
    ]


@functools.cache
def library() -> Library:
    """The library of this release."""
    return assemble(lua_directory())


def version_of(source: str) -> tuple[int, str]:
    """Version and digest of a library's text; (0, "") when it does not tell."""
    match = _HEADER.search(source)
    return (int(match[1]), match[2]) if match else (0, "")


def replaces(loaded: str, ours: Library) -> bool:
    """Should ours be loaded over what the server has? Never over a newer version."""
    version, digest = version_of(loaded)
    return version < VERSION or (version == VERSION and digest != ours.digest)
