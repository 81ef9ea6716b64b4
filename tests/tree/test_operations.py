"""Each operation is one file, one function, one struct, and one word in the data dictionary."""

from __future__ import annotations

import re

import msgspec
import pytest

from engine.errors import CODES
from tests.operations import COMMANDS
from tests.tree.operation import (
    LABELS,
    REQUIRED_NUMBER,
    REQUIRED_TEXT,
    arguments,
    header,
    registrations,
    sections,
)
from tests.tree.sources import LUA_FILES, OPERATIONS, calls, lua_text, text_of

operations = pytest.mark.parametrize("name", OPERATIONS)


@operations
def test_a_file_registers_the_function_of_its_name(name: str) -> None:
    assert [operation.function for operation in registrations(name)] == [f"jr_{name}"]


def test_only_the_frame_registers() -> None:
    found = {
        name for name in LUA_FILES for target, _ in calls(name) if target == ("redis", "register_function")
    }
    assert found == {"op.lua"}


@operations
def test_the_header_has_its_form(name: str) -> None:
    assert re.match(r"--- [A-Z].*", lua_text(f"ops/{name}.lua"))
    parts = header(name)
    assert list(parts) == ["", *LABELS]
    assert parts["KEYS"].startswith("1 tenant root.  ARGS: 1 now_ms, 2 JSON {")
    assert all(parts.values())


@operations
def test_the_header_names_its_refusals(name: str) -> None:
    told = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b", re.sub(r"\(.*?\)", "", header(name)["Refuses"])))
    made = {function.upper() for (module, function), _ in calls(f"ops/{name}.lua") if module == "refuse"}
    assert told <= CODES
    assert made - {"BAD_CALL"} <= told


@operations
def test_a_write_has_its_sections_in_order(name: str) -> None:
    found = [section for section, _ in sections(name)]
    assert found == [section for section in ("read", "check", "write") if section in found]
    if "write" in found:
        assert registrations(name)[0].write
    elif registrations(name)[0].write:
        assert "refuse." in sections(name)[-1][1], "it neither writes nor refuses"


def test_every_operation_has_a_struct_and_a_file() -> None:
    assert set(COMMANDS) == {f"jr_{name}" for name in OPERATIONS}


@operations
def test_the_struct_has_its_name(name: str) -> None:
    assert COMMANDS[f"jr_{name}"].__name__ == "".join(map(str.capitalize, name.split("_")))


@operations
def test_the_struct_and_the_file_agree(name: str) -> None:
    command, operation = COMMANDS[f"jr_{name}"], registrations(name)[0]
    assert command.write == operation.write
    assert command.creates == operation.creates
    if operation.specification is not None:
        fields = msgspec.structs.fields(command)
        control = {field.name: _default(field) for field in fields if field.name not in command.documents}
        assert control == operation.specification


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.required:
        return REQUIRED_TEXT if field.type is str else REQUIRED_NUMBER
    return [] if field.default is msgspec.NODEFAULT else field.default


@operations
def test_the_header_names_the_documents(name: str) -> None:
    assert arguments(name) == list(COMMANDS[f"jr_{name}"].documents)


@operations
def test_the_header_names_the_control_fields(name: str) -> None:
    command = COMMANDS[f"jr_{name}"]
    told = set(re.findall(r"\w+", header(name)["KEYS"]))
    assert {field for field in command.__struct_fields__ if field not in command.documents} <= told


@operations
def test_the_data_dictionary_names_it(name: str) -> None:
    assert f"`jr_{name}`" in text_of("lua/README.md")
