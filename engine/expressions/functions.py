"""The functions of the language: how many arguments each takes, and of what type its values are."""

from __future__ import annotations

from typing import NamedTuple

ANY, BLANK, BOOLEAN, NUMBER, TEXT = "any", "blank", "boolean", "number", "text"
"""Types as far as they are known before labels are: ``any`` is that of a label."""

COERCIONS = {BOOLEAN: "Boolean", NUMBER: "Value", TEXT: "Text"}
"""The function that turns a value into one of a type; a blank stays one."""

MANY = 1000
"""As many arguments as an expression has room for."""


class Function(NamedTuple):
    """``type`` is None where it is that of the results among its arguments."""

    least: int
    most: int
    type: str | None

    def arity(self) -> str:
        """The number of arguments in words."""
        if self.most == MANY:
            return f"at least {counted(self.least)}"
        if self.least < self.most:
            return f"{self.least} or {counted(self.most)}"
        return counted(self.least)


def counted(number: int) -> str:
    """A number of arguments in words."""
    return "no arguments" if number == 0 else "1 argument" if number == 1 else f"{number} arguments"


FUNCTIONS = {
    "Abs": Function(1, 1, NUMBER),
    "And": Function(1, MANY, BOOLEAN),
    "Average": Function(1, MANY, NUMBER),
    "Blank": Function(0, 0, BLANK),
    "Boolean": Function(1, 1, BOOLEAN),
    "Coalesce": Function(1, MANY, None),
    "EndsWith": Function(2, 2, BOOLEAN),
    "If": Function(2, MANY, None),
    "IfError": Function(2, MANY, None),
    "Int": Function(1, 1, NUMBER),
    "IsBlank": Function(1, 1, BOOLEAN),
    "IsNumeric": Function(1, 1, BOOLEAN),
    "Left": Function(2, 2, TEXT),
    "Len": Function(1, 1, NUMBER),
    "Lower": Function(1, 1, TEXT),
    "Max": Function(1, MANY, NUMBER),
    "Mid": Function(2, 3, TEXT),
    "Min": Function(1, MANY, NUMBER),
    "Mod": Function(2, 2, NUMBER),
    "Not": Function(1, 1, BOOLEAN),
    "Or": Function(1, MANY, BOOLEAN),
    "Right": Function(2, 2, TEXT),
    "Round": Function(2, 2, NUMBER),
    "RoundDown": Function(2, 2, NUMBER),
    "RoundUp": Function(2, 2, NUMBER),
    "StartsWith": Function(2, 2, BOOLEAN),
    "Sum": Function(1, MANY, NUMBER),
    "Switch": Function(3, MANY, None),
    "Text": Function(1, 1, TEXT),
    "Trim": Function(1, 1, TEXT),
    "Upper": Function(1, 1, TEXT),
    "Value": Function(1, 1, NUMBER),
}


def results(name: str, count: int) -> list[int]:
    """Which of a function's arguments may become its value, in the order in which they give it a type."""
    match name:
        case "If":  # condition, result, … and perhaps a result at the end
            return [*range(1, count, 2), *([count - 1] if count % 2 else [])]
        case "Switch":  # value, case, result, … and perhaps a result at the end
            return [*range(2, count, 2), *([] if count % 2 else [count - 1])]
        case "IfError":  # value, replacement, …; without a result at the end the last value is it
            return [count - 1 if count % 2 else count - 2, *range(1, count, 2)]
        case _:
            return list(range(count))
