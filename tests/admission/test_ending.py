"""Requests that are not done when the process may wait for them no longer."""

from __future__ import annotations

import asyncio
import json

import pytest

from api.serving import body, listeners
from api.serving.listeners import listen, serving
from tests.admission.asgi import Stalled, run
from tests.api.conftest import NOW, healthy, make_app, make_settings


def test_what_is_cut_short_is_told_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listeners, "DRAIN_SECONDS", 0.01)

    async def work() -> None:
        app = make_app(Stalled(), make_settings(), healthy, clock=lambda: NOW)
        listener = listen("127.0.0.1", 0)
        async with serving(app, [listener]):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"PATCH /routing/queues/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
            while not body._Coming.size:
                await asyncio.sleep(0)
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(content)["error"]["code"] == "ServiceUnavailable"
        assert not body._Coming.size
        writer.close()

    run(work)
    assert "Traceback" not in caplog.text
