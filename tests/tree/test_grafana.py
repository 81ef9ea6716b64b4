"""The Grafana board asks only for series and labels that the router has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from engine.metrics import Load, Metrics
from tests.tree.sources import ROOT, text_of

BOARD = "deploy/grafana/jobrouter.json"

_SERIES = re.compile(r"\b((?:jobrouter|process)_\w+)")
_SELECTOR = re.compile(r"\b((?:jobrouter|process)_\w+)\{([^}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")


def _board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(BOARD))
    return found


def _queries() -> Iterator[str]:
    board = _board()
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]


def _series() -> dict[str, set[str]]:
    """All series with their labels, of metrics in which everything was measured once."""
    metrics = Metrics()
    metrics.request("/x", "GET", 200, 0.1)
    metrics.call("jr_job_read", "ok", 0.1)
    metrics.refused("main", "rate")
    metrics.under_way("main", "requests", lambda: 1)
    metrics.connections(lambda: 1)
    metrics.cut("idle")
    metrics.agenda_lag("main", 0.1)
    metrics.delivery_lag("main", 0.1)
    metrics.event("main", "RouterJobClosed")
    for figure in ("time_to_offer", "wait", "offer_to_accept", "handling"):
        metrics.span(figure, "main", "q", "voice", 1.0)
        metrics.unmeasured(figure, "main")
    metrics.gap("main")
    metrics.observing("main", True)
    metrics.loads["main"] = Load({("main", "q", "v"): 1}, {("main", "q", "v"): 1}, {("main", "q"): 1.0})
    for fold in (metrics._places, metrics._queues):
        fold._folded()
    return {
        sample.name: set(sample.labels) for family in metrics.registry.collect() for sample in family.samples
    }


SERIES = _series()


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_a_query_asks_for_what_there_is(query: str) -> None:
    names = set(_SERIES.findall(query))
    assert names
    assert names <= SERIES.keys()
    for name, matchers in _SELECTOR.findall(query):
        asked = {matcher.partition("=")[0].rstrip("!") for matcher in matchers.split(",")}
        assert asked <= SERIES[name], name
    labels = set().union(*(SERIES[name] for name in names))
    for group in _BY.findall(query):
        assert {label.strip() for label in group.split(",")} <= labels
    assert query.count("(") == query.count(")")


def test_a_histogram_is_asked_for_by_its_buckets() -> None:
    for query in _queries():
        if "histogram_quantile" in query:
            assert all(name.endswith("_bucket") for name in _SERIES.findall(query))


def test_all_our_series_are_shown_or_told() -> None:
    """Every family stands on the board or in the page about it."""
    text = text_of("deploy/README.md") + " ".join(_queries())
    families = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in SERIES}
    missing = {name for name in families if name.startswith("jobrouter_") and name not in text}
    assert missing == set()


def test_the_board_can_be_provisioned() -> None:
    board = _board()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert board["uid"]
    sources = {json.dumps(one["datasource"]) for one in _located(board)}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert board["templating"]["list"][0]["type"] == "datasource"


def _located(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        if "datasource" in panel:
            yield panel
        yield from panel.get("targets", ())
    yield from (one for one in board["templating"]["list"] if one["type"] == "query")


def test_the_board_does_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _board()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_how_to_provision_it_is_told() -> None:
    assert (ROOT / "deploy/grafana/README.md").is_file()
