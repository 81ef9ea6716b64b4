"""Tables for people: the same rows as Markdown and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec

from bench.load.percentiles import Summary

OPERATION = ("operation", "a second", "p50 ms", "p95 ms", "p99 ms", "max ms", "count", "failures")


class Table(msgspec.Struct, frozen=True):
    """A table with its title, and a text that says what its figures mean."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def number(value: float | None) -> str:
    """A figure with as many digits as it is worth; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def row(name: str, found: Summary, seconds: float) -> list[str]:
    """The cells of OPERATION."""
    times = (found.p50, found.p95, found.p99, found.longest)
    return [
        name,
        number(found.count / seconds) if seconds else "",
        *map(number, times),
        f"{found.count:,}",
        f"{found.failures:,}",
    ]


def markdown(title: str, text: str, tables: Sequence[Table]) -> str:
    """All tables in one document."""
    lines = [f"# {title}", "", text]
    for table in tables:
        lines += ["", f"## {table.title}", "", table.text, ""]
        lines.append(f"| {' | '.join(table.columns)} |")
        lines.append("|---" + "|---:" * (len(table.columns) - 1) + "|")
        lines += [f"| {' | '.join(cells)} |" for cells in table.rows]
    return "\n".join(lines) + "\n"


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .7rem;border-bottom:1px solid #ccc;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def page(title: str, text: str, tables: Sequence[Table], links: Sequence[tuple[str, str]]) -> str:
    """The same as a page, with links to files beside it."""
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>",
    ]
    for table in tables:
        head = _cells("th", table.columns)
        body = "".join(_cells("td", cells) for cells in table.rows)
        parts.append(
            f"<h2>{html.escape(table.title)}</h2><p>{html.escape(table.text)}</p>"
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        )
    if links:
        items = "".join(f'<li><a href="{html.escape(to)}">{html.escape(name)}</a></li>' for name, to in links)
        parts.append(f"<h2>Locust's own pages</h2><ul>{items}</ul>")
    return "\n".join(parts) + "\n"


def _cells(kind: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts) + "</tr>"
