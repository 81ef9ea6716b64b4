"""The OpenAPI document as one page for people: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from api.wire.shapes import REF, Schema

_METHODS = ("get", "patch", "post", "delete")


def page(document: Mapping[str, Any], stylesheet: str, address: str) -> str:
    """The page as HTML; ``address`` is where the document itself is."""
    info = document["info"]
    operations = [
        (path, method, methods[method])
        for path, methods in document["paths"].items()
        for method in _METHODS
        if method in methods
    ]
    sections = "".join(
        _section(tag, [one for one in operations if tag["name"] in one[2]["tags"]])
        for tag in document["tags"]
    )
    schemas = "".join(_component(name, one) for name, one in document["components"]["schemas"].items())
    contents = "".join(f'<a href="#{_slug(tag["name"])}">{_t(tag["name"])}</a>' for tag in document["tags"])
    links = f'{contents}<a href="#schemas">Schemas</a><a href="{_t(address)}">OpenAPI document</a>'
    title = f"{info['title']} {info['version']}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{_t(title)}</title><link rel="stylesheet" href="{_t(stylesheet)}"></head><body>'
        f"<header><h1>{_t(title)}</h1><p>{_prose(info['description'])}</p>"
        f"<nav>{links}</nav></header>"
        f'<main>{sections}<section id="schemas"><h2>Schemas</h2>{schemas}</section></main></body></html>'
    )


def _section(tag: Mapping[str, str], operations: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    rows = "".join(_operation(*one) for one in operations)
    return (
        f'<section id="{_slug(tag["name"])}"><h2>{_t(tag["name"])}</h2>'
        f"<p>{_prose(tag['description'])}</p>{rows}</section>"
    )


def _operation(path: str, method: str, shown: Mapping[str, Any]) -> str:
    parts = [_parameters(shown.get("parameters", ()))]
    if body := shown.get("requestBody"):
        parts.append(f"<h4>Body</h4>{_contents(body['content'])}")
    for status, answer in shown["responses"].items():
        name = "Refused" if status == "default" else status
        parts.append(f"<h4>{_t(name)}</h4><p>{_prose(answer['description'])}</p>")
        parts.append(_contents(answer.get("content", {})))
    return (
        f'<details id="{_t(shown["operationId"])}"><summary><b class="{method}">{method.upper()}</b> '
        f"<code>{_t(path)}</code> <span>{_t(shown['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{_t(one['name'])}</code></td><td>{_t(one['in'])}"
        f"{', required' if one.get('required') else ''}</td><td>{_schema(one['schema'])}</td>"
        f"<td>{_prose(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    return f"<table>{rows}</table>" if rows else ""


def _contents(content: Mapping[str, Any]) -> str:
    return "".join(
        f"<p><code>{_t(kind)}</code>: {_schema(one['schema'])}</p>" for kind, one in content.items()
    )


def _component(name: str, schema: Schema) -> str:
    text = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    return f'<article id="schema-{_t(name)}"><h3>{_t(name)}</h3>{text}{_schema(schema, whole=True)}</article>'


def _schema(schema: Schema, *, whole: bool = False) -> str:
    """A schema in words; the members of an object only where it is shown as a whole."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return f'<a href="#schema-{_t(name)}">{_t(name)}</a>'
    for key, word in (("anyOf", " or "), ("allOf", " and ")):
        if key in schema:
            return word.join(_schema(one) for one in schema[key]) + _limits(schema)
    if schema.get("properties"):
        return _members(schema)
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_schema(schema.get('items', {}))}{_limits(schema)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_schema(schema['additionalProperties'])}{_limits(schema)}"
    if "enum" in schema:
        return " ".join(f"<code>{_t(str(word))}</code>" for word in schema["enum"]) + _limits(schema)
    if "const" in schema:
        return f"<code>{_t(str(schema['const']))}</code>"
    return _t(str(kind) if kind else "anything" if not whole else "nothing") + _limits(schema)


def _members(schema: Schema) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{_t(name)}</code></td><td>{'required' if name in required else ''}</td>"
        f"<td>{_schema(member)}</td></tr>"
        for name, member in schema["properties"].items()
    )
    return f"<table>{rows}</table>"


_LIMITS = {
    "format": "",
    "minLength": "at least",
    "maxLength": "at most",
    "minimum": "from",
    "maximum": "to",
    "exclusiveMinimum": "above",
    "minItems": "at least",
    "maxItems": "at most",
    "maxProperties": "at most",
    "pattern": "of the form",
    "default": "default",
}


def _limits(schema: Schema) -> str:
    shown = [
        f"{word} {_value(schema[key])}".strip()
        for key, word in _LIMITS.items()
        if key in schema and schema[key] != {}
    ]
    return f" <small>{_t(', '.join(shown))}</small>" if shown else ""


def _value(value: Any) -> str:
    return {"": '""', "True": "true", "False": "false"}.get(str(value), str(value))


def _prose(text: str) -> str:
    """A text whose words between backticks are code."""
    parts = text.split("`")
    return "".join(f"<code>{_t(part)}</code>" if i % 2 else _t(part) for i, part in enumerate(parts))


def _slug(text: str) -> str:
    return _t(text.lower())


def _t(text: str) -> str:
    return escape(text, quote=True)
