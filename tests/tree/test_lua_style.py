"""Lua is linted as it is loaded, and formatted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from engine.library import library
from tests.tree.sources import LUA, ROOT, missing

_PLACE = re.compile(r"^.*?:(\d+):")


def test_luacheck_finds_nothing_in_the_assembled_library(tmp_path: Path) -> None:
    if shutil.which("luacheck") is None:
        missing("luacheck is not installed (Debian: apt install lua-check)")
    assembled = tmp_path / "library.lua"
    assembled.write_text(library().source.replace("#!", "--", 1))
    command = [
        "luacheck",
        "--no-color",
        "--codes",
        "--formatter",
        "plain",
        "--config",
        str(ROOT / ".luacheckrc"),
    ]
    result = subprocess.run([*command, str(assembled)], capture_output=True, text=True, check=False)
    found = [_in_its_file(line) for line in result.stdout.splitlines() if line]
    assert result.returncode == 0, "\n".join([*found, result.stderr])


def _in_its_file(line: str) -> str:
    """A warning with its place in the assembled library turned into the place in the file."""
    return _PLACE.sub(lambda match: "lua/{}:{}:".format(*library().place(int(match[1]))), line)


def test_stylua_changes_nothing() -> None:
    stylua = shutil.which("stylua") or shutil.which("stylua", path=ROOT / "node_modules" / ".bin")
    if stylua is None:
        missing("StyLua is not installed (npm install @johnnymorganz/stylua-bin)")
    command = [
        str(stylua),
        "--config-path",
        str(ROOT / "stylua.toml"),
        "--check",
        "--output-format",
        "Summary",
    ]
    result = subprocess.run([*command, str(LUA)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
