"""Everything that talks to a cluster can do so over TLS, as a user with a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.serving import tls
from api.serving.runtime import worker_of
from engine.commands import JobCreate
from engine.feed import Feeds
from engine.health import Health
from engine.settings import Settings, Tenant
from engine.store import Store
from tests import support
from tests.cluster.test_routing import set_up


@pytest.fixture
def url(server_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster of one server that is reached by TLS alone."""
    files = tls.development_files(tmp_path, ())
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    port, cluster_port = support.free_port(), support.free_port()
    options = {
        "tls-port": str(port),
        "tls-cluster": "yes",
        "tls-cert-file": str(files.certificate),
        "tls-key-file": str(files.key),
        "tls-ca-cert-file": str(files.ca),
        "tls-auth-clients": "no",
        "cluster-enabled": "yes",
        "cluster-port": str(cluster_port),
        "bind": "127.0.0.1",
    }
    monkeypatch.setattr(support.Server, "clustered", True)
    try:
        with support.server(server_program, **options) as server:
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", "one", "on", ">p@ss", "~*", "&*", "+@all")  # type: ignore[no-untyped-call]
            yield f"rediss+cluster://one:p%40ss@127.0.0.1:{port}"
    except AssertionError as failed:
        if "tls" not in str(failed).lower():
            raise
        pytest.skip("this server speaks no TLS")


def test_over_tls(url: str, tenant: str) -> None:
    async def work() -> None:
        async with asyncio.timeout(4 * support.PATIENCE_SECONDS):
            store = await Store.open(url)
            settings = Settings({tenant: Tenant(tenant)})
            worker = worker_of(store, settings)
            working = asyncio.create_task(worker.run())
            assert worker.alarms
            await worker.alarms.listening.wait()
            root = await set_up(store, tenant)
            feeds = Feeds(store)
            member = await feeds.join(root)
            health = Health(store, [tenant])
            assert (await health())[0]
            await store.run(root, JobCreate(id="j", queue="q", channel="voice"))
            await feeds.aclose()
            assert member.ended.done()
            await health.close()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await store.close()

    asyncio.run(work())
