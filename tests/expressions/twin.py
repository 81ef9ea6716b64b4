"""A naive evaluator: what an expression gives, word for word, over trees of its own and Python's values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.expressions.evaluator import (
    CONDITION,
    COUNT,
    DIVISION,
    LARGE,
    NUMBER,
    POSITION,
    ROOT,
    Error,
    Labels,
    Value,
)


class Literal(NamedTuple):
    value: Value


class Label(NamedTuple):
    record: str
    key: str


class Apply(NamedTuple):
    """An operator or a function; ``-`` and ``%`` with one operand are the prefix and the suffix."""

    name: str
    operands: tuple[Any, ...]


Tree = Literal | Label | Apply
Plain = str | float | bool | None


class Failed(Exception):
    """The expression fails."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.reason)
        self.error = error


def value_of(tree: Tree, records: Mapping[str, Labels]) -> Value:
    """The value of a tree, or why it has none."""
    try:
        return _value(tree, records)
    except Failed as failed:
        return failed.error


# ---- coercions ---------------------------------------------------------------------------------------------

_SPACE = " \t\n\v\f\r"
_NUMERAL = re.compile(
    rf"([-+%$({_SPACE}]*)([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)((?:[eE][+-]?[0-9]+)?)([%){_SPACE}]*)"
)


def parsed(text: str) -> float | None:
    found = _NUMERAL.fullmatch(text)
    if not found or len(text) > 256:
        return None
    before, digits, exponent, after = found.groups()
    marks = [mark for mark in before + after if mark not in _SPACE]
    signs = sum(marks.count(mark) for mark in "+-(")
    if signs > 1 or marks.count("(") != marks.count(")") or marks.count("%") + marks.count("$") > 1:
        return None
    number = float(digits.replace(",", "") + exponent)
    number = number / 100 if "%" in marks else number
    number = -number if "-" in marks or "(" in marks else number
    return number if math.isfinite(number) else None


def to_number(value: Plain) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        number = parsed(value)
        if number is None:
            raise Failed(NUMBER)
        return number
    return float(value)


def number_of(value: Plain) -> float:
    return to_number(value) or 0.0


def shown(number: float) -> str:
    if number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    for digits in (15, 16):
        if float(text := f"{number:.{digits}G}") == number:
            return text
    return f"{number:.17G}"


def text_of(value: Plain) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return shown(value)
    return value or ""


def to_boolean(value: Plain) -> bool | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise Failed(CONDITION)
        return value.lower() == "true"
    return bool(value)


def truth(value: Plain) -> bool:
    return bool(to_boolean(value))


def finite(number: float) -> float:
    if not math.isfinite(number):
        raise Failed(LARGE)
    return number


def characters(value: Plain) -> int:
    count = math.trunc(number_of(value))
    if count < 0:
        raise Failed(COUNT)
    return count


# ---- operators and functions -------------------------------------------------------------------------------


def kind_of(tree: Tree) -> str | None:
    """The type of a tree as far as it is known: None for a label or a mixture, "blank" for nothing."""
    match tree:
        case Literal(value):
            return {bool: "boolean", float: "number", str: "text"}.get(type(value), "blank")
        case Label():
            return None
        case Apply("If" | "Switch" | "IfError" | "Coalesce"):
            wanted = wanted_kind(tree)
            kinds = {coerced_kind(part, wanted) for part in result_trees(tree)} - {"blank"}
            return kinds.pop() if len(kinds) == 1 else None if kinds else "blank"
        case Apply("Text" | "Left" | "Right" | "Mid" | "Trim" | "Lower" | "Upper" | "&"):
            return "text"
        case Apply("-" | "+" | "*" | "/" | "^" | "%" | "Value" | "Len" | "Abs" | "Int" | "Mod"):
            return "number"
        case Apply("Round" | "RoundUp" | "RoundDown" | "Sum" | "Average" | "Min" | "Max"):
            return "number"
        case Apply("Blank"):
            return "blank"
    return "boolean"


def result_trees(tree: Apply) -> Sequence[Tree]:
    """The operands that may become the value, the one first that gives the type first."""
    parts = list(tree.operands)
    match tree.name:
        case "If":
            return parts[1::2] + ([parts[-1]] if len(parts) % 2 else [])
        case "Switch":
            return parts[2::2] + ([] if len(parts) % 2 else [parts[-1]])
        case "IfError":
            return [parts[-1] if len(parts) % 2 else parts[-2], *parts[1::2]]
    return parts


def wanted_kind(tree: Apply) -> str | None:
    kinds = [kind for kind in map(kind_of, result_trees(tree)) if kind != "blank"]
    return kinds[0] if kinds else "blank"


def coerced_kind(part: Tree, wanted: str | None) -> str | None:
    kind = kind_of(part)
    return kind if kind in (None, "blank") or wanted in (None, "blank") else wanted


def _result(tree: Apply, part: Tree, records: Mapping[str, Labels]) -> Plain:
    """A result, of the type of all results."""
    value, wanted = _value(part, records), wanted_kind(tree)
    if value is None or kind_of(part) in (None, "blank", wanted):
        return value
    match wanted:
        case "number":
            return to_number(value)
        case "text":
            return text_of(value)
        case "boolean":
            return to_boolean(value)
    return value


_AT_ONCE: dict[str, Callable[[Plain], Plain]] = {
    **dict.fromkeys(("+", "-", "*"), number_of),
    **dict.fromkeys(("Min", "Max", "Sum", "Average"), to_number),
    "&": text_of,
}


def _value(tree: Tree, records: Mapping[str, Labels]) -> Any:
    match tree:
        case Literal(value):
            return value
        case Label(record, key):
            found = records.get(record, {}).get(key)
            return float(found) if isinstance(found, int) and not isinstance(found, bool) else found
        case Apply("If" | "Switch" | "IfError" | "Coalesce" | "And" | "Or"):
            return _lazy(tree, records)
        case Apply(name, operands):
            # what coerces each operand before it looks at the next fails by the first that is wrong
            coerced = _AT_ONCE.get(name, lambda value: value)
            return _applied(name, [coerced(_value(operand, records)) for operand in operands])


def _lazy(tree: Apply, records: Mapping[str, Labels]) -> Plain:
    name, parts = tree
    values = (_value(part, records) for part in parts)
    match name:
        case "And":
            return all(truth(value) for value in values)
        case "Or":
            return any(truth(value) for value in values)
        case "Coalesce":
            results = (_result(tree, part, records) for part in parts)
            return next((value for value in results if value not in (None, "")), None)
        case "If":
            for condition, result in zip(parts[::2], parts[1::2], strict=False):
                if truth(_value(condition, records)):
                    return _result(tree, result, records)
            return _result(tree, parts[-1], records) if len(parts) % 2 else None
        case "Switch":
            value = next(values)
            for case, result in zip(parts[1::2], parts[2::2], strict=False):
                if equal(_value(case, records), value):
                    return _result(tree, result, records)
            return None if len(parts) % 2 else _result(tree, parts[-1], records)
    last: Plain = None
    for tried, replacement in zip(parts[::2], parts[1::2], strict=False):
        try:
            last = _result(tree, tried, records) if tried is parts[-2] else _value(tried, records)
        except Failed:
            return _result(tree, replacement, records)
    return _result(tree, parts[-1], records) if len(parts) % 2 else last


def equal(a: Plain, b: Plain) -> bool:
    return type(a) is type(b) and a == b


def _order(name: str, a: Plain, b: Plain) -> bool:
    a, b = 0.0 if a is None else a, 0.0 if b is None else b
    if type(a) is not type(b) or isinstance(a, bool):
        return False
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[name]  # type: ignore[operator]


def _divided(a: float, b: float) -> float:
    if b == 0:
        raise Failed(DIVISION)
    return finite(a / b)


def _power(base: float, exponent: float) -> float:
    if base == 0 and exponent < 0:
        raise Failed(DIVISION)
    if base < 0 and not exponent.is_integer():
        raise Failed(ROOT)
    try:
        return float(base**exponent)
    except OverflowError:
        raise Failed(LARGE) from None


def _modulo(a: float, b: float) -> float:
    if b == 0:
        raise Failed(DIVISION)
    rest = math.fmod(a, b)
    return rest + b if rest * b < 0 else rest


def _rounded(name: str, value: float, digits: int) -> float:
    if value == 0 or digits > 15 or (digits >= 0 and abs(value) > 1e20):
        return value
    if digits < -308:
        return finite(math.inf if name == "RoundUp" else 0)
    unit, size = 10.0**digits, abs(value)
    match name:
        case "RoundUp":
            result = _whole(math.ceil, size * unit) / unit
        case "RoundDown":
            result = _whole(math.floor, size * unit) / unit
        case _:
            result = _whole(math.floor, (size + 1 / (2 * unit) + 1 / (unit * 1e12)) * unit) / unit
    return math.copysign(finite(result), value)


def _whole(cut: Callable[[float], int], number: float) -> float:
    return cut(finite(number))


def _aggregate(name: str, values: list[Plain]) -> Plain:
    numbers = [number for number in map(to_number, values) if number is not None]
    if not numbers:
        if name == "Average":
            raise Failed(DIVISION)
        return None
    if name in ("Min", "Max"):
        return min(numbers) if name == "Min" else max(numbers)
    total = numbers[0]
    for number in numbers[1:]:
        total = finite(total + number)
    return total if name == "Sum" else total / len(numbers)


def _middle(text: str, start: Plain, *count: Plain) -> str:
    begin = math.trunc(number_of(start))
    if begin < 1:
        raise Failed(POSITION)
    return text[begin - 1 :][: characters(count[0])] if count else text[begin - 1 :]


def _applied(name: str, v: list[Plain]) -> Plain:
    match name, len(v):
        case "+", _:
            return finite(number_of(v[0]) + number_of(v[1]))
        case "-", 2:
            return finite(number_of(v[0]) - number_of(v[1]))
        case "-", 1:
            return -number_of(v[0])
        case "*", _:
            return finite(number_of(v[0]) * number_of(v[1]))
        case "/", _:
            return _divided(number_of(v[0]), number_of(v[1]))
        case "^", _:
            return _power(number_of(v[0]), number_of(v[1]))
        case "%", _:
            return number_of(v[0]) / 100
        case "&", _:
            return text_of(v[0]) + text_of(v[1])
        case "=" | "<>", _:
            return equal(v[0], v[1]) == (name == "=")
        case "<" | "<=" | ">" | ">=", _:
            return _order(name, v[0], v[1])
        case "in", _:
            return text_of(v[0]).lower() in text_of(v[1]).lower()
        case "exactin", _:
            return text_of(v[0]) in text_of(v[1])
        case "Not", _:
            return not truth(v[0])
        case "Blank", _:
            return None
        case "Boolean", _:
            return to_boolean(v[0])
        case "Value", _:
            return to_number(v[0])
        case "Text", _:
            return None if v[0] is None else text_of(v[0])
        case "IsBlank", _:
            return v[0] is None or v[0] == ""
        case "IsNumeric", _:
            return isinstance(v[0], float) or (isinstance(v[0], str) and parsed(v[0]) is not None)
        case "Abs", _:
            return abs(number_of(v[0]))
        case "Int", _:
            return float(math.floor(number_of(v[0])))
        case "Mod", _:
            return _modulo(number_of(v[0]), number_of(v[1]))
        case "Round" | "RoundUp" | "RoundDown", _:
            return _rounded(name, number_of(v[0]), math.trunc(number_of(v[1])))
        case "Min" | "Max" | "Sum" | "Average", _:
            return _aggregate(name, v)
        case "Lower", _:
            return text_of(v[0]).lower()
        case "Upper", _:
            return text_of(v[0]).upper()
        case "Trim", _:
            return re.sub("[ \t]+", " ", text_of(v[0])).strip(_SPACE)
        case "Len", _:
            return float(len(text_of(v[0])))
        case "Left", _:
            return text_of(v[0])[: characters(v[1])]
        case "Right", _:
            count = characters(v[1])
            return text_of(v[0])[-count:] if count else ""
        case "Mid", _:
            return _middle(text_of(v[0]), *v[1:])
        case "StartsWith", _:
            return text_of(v[0]).lower().startswith(text_of(v[1]).lower())
        case "EndsWith", _:
            return text_of(v[0]).lower().endswith(text_of(v[1]).lower())
    raise AssertionError(name)
