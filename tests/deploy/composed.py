"""deploy/compose.yaml with its variables filled in, and its parts as processes of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.tree.sources import ROOT

DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"

_VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def composed(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose understands it. Raises KeyError for a variable that has to be given."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        return variables.get(name, default) if kind == "-" else variables[name]

    known: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, FILE.read_text()))
    return known


def wanted_variables() -> set[str]:
    """The variables that have to be given."""
    return {name for name, kind, _ in _VARIABLE.findall(FILE.read_text()) if kind == "?"}


def mounted(service: Mapping[str, Any]) -> dict[str, Path]:
    """By its place in a container the file of deploy/ that is there."""
    places = (volume.split(":") for volume in service.get("volumes", ()))
    return {target: DEPLOY / source for source, target, *_ in places if source.startswith("./")}
