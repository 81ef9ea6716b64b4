"""Who may call, and whether the scenarios call everything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from azure.communication.jobrouter import JobRouterAdministrationClient, JobRouterClient
from azure.communication.jobrouter._version import VERSION
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from tests import support
from tests.sdk.clients import by_connection_string, by_constructor
from tests.sdk.test_older_version import WANTED

SCENARIOS = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


def test_version() -> None:
    """The older one runs where it is asked for, the one of the environment elsewhere."""
    older = os.environ.get(WANTED)
    assert older == VERSION if older else VERSION == "1.1.0b1"


@pytest.mark.parametrize("client", [JobRouterClient, JobRouterAdministrationClient])
def test_every_operation_is_in_a_scenario(client: type) -> None:
    others = {"close", "from_connection_string", "send_request"}
    names = {name for name in dir(client) if not name.startswith("_")} - others
    assert len(names) >= 16
    assert {
        name for name in names if f"sdk.{name}(" not in SCENARIOS and f'"{name}"' not in SCENARIOS
    } == set()


@pytest.mark.parametrize("is_async", [False, True])
def test_other_keys_are_refused(served: support.Served, is_async: bool) -> None:
    sdk = by_constructor(served, is_async, key="b3RoZXI=")
    with pytest.raises(ClientAuthenticationError, match="Denied"):
        sdk.get_job("j")
    sdk.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_certificate_is_verified(served: support.Served, is_async: bool) -> None:
    """A client that does not trust the development CA does not connect."""
    sdk = by_connection_string(served, is_async, retry_total=0)
    with pytest.raises(ServiceRequestError):
        sdk.get_job("j")
    sdk.close()


def test_a_request_can_be_signed_without_an_sdk(
    served: support.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the example of the documentation does it."""
    monkeypatch.setenv("no_proxy", "*")
    page = (Path(__file__).parents[2] / "api" / "README.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {"endpoint": served.url, "key": served.key}
    exec(example, names)
    assert '{"value":[' in capsys.readouterr().out
    body = b'{"mode":{"kind":"longestIdle"},"offerExpiresAfterSeconds":60}'
    url = f"{served.url}/routing/distributionPolicies/by%20hand?api-version=2023-11-01"
    with urlopen(names["signed"]("PATCH", url, served.key, body)) as answer:
        assert json.load(answer)["id"] == "by hand"
