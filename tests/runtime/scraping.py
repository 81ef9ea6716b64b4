"""Reads the metrics of a process as Prometheus does."""

from __future__ import annotations

import contextlib
import http.client

from prometheus_client.parser import text_string_to_metric_families

from tests.support import PATIENCE_SECONDS


def scraped(port: int, **headers: str) -> tuple[int, str]:
    """Status and text of ``GET /metrics``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def samples(port: int) -> dict[str, float]:
    """All samples by their name and labels, as in the text."""
    status, text = scraped(port)
    assert status == 200, text
    return parsed(text)


def parsed(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
