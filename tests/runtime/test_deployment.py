"""What a URL of the store names."""

from __future__ import annotations

import pytest

from engine.address import Address
from engine.deployment import Deployment


def test_one_server() -> None:
    found = Deployment.parse("rediss://api:p%40ss@db.example:7000/2")
    address = Address("db.example", 7000, tls=True, username="api", password="p@ss", database=2)
    assert found == Deployment("server", (address,), address)
    assert Deployment.parse("unix:///run/s").data.path == "/run/s"


@pytest.mark.parametrize("scheme", ["redis+cluster", "valkey+cluster", "REDIS+CLUSTER"])
def test_a_cluster(scheme: str) -> None:
    found = Deployment.parse(f"{scheme}://api:p%2Css@a:7001,[::1]:7002, b")
    data = Address(username="api", password="p,ss")
    assert found == Deployment(
        "cluster", (data.at("a", 7001), data.at("::1", 7002), data.at("b", 6379)), data
    )


def test_a_cluster_over_tls() -> None:
    found = Deployment.parse("rediss+cluster://:secret@a")
    assert found.data.tls
    assert found.asked == (Address("a", tls=True, password="secret"),)


def test_sentinels() -> None:
    found = Deployment.parse("redis+sentinel://api:one@a,b:26380/main?sentinel_password=t%26wo")
    sentinel = Address(password="t&wo")
    assert found == Deployment(
        "sentinel",
        (sentinel.at("a", 26379), sentinel.at("b", 26380)),
        Address(username="api", password="one"),
        "main",
    )
    assert Deployment.parse("rediss+sentinel://a/main/3").data == Address(tls=True, database=3)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://secret@a", "not a Redis URL: http;"),
        ("secret@a", "not a Redis URL; use"),
        ("redis://api:secret/more@a", "the port is not a number"),
        ("redis://a:70000", "the port is not a number"),
        ("redis://a/secret", "the database is not a number"),
        ("redis://a/\u0661", "the database is not a number"),
        ("redis://a?db=3", "nothing may follow a question mark"),
        ("unix:///s?db=x", "the database is not a number"),
        ("unix:///s?secret=1", "only db may follow"),
        ("localhost", r"use redis://.*, redis\+cluster:// or redis\+sentinel://"),
        ("redis+cluster://", "names no host"),
        ("redis+cluster://a,:7000", "a host is missing"),
        ("redis+cluster://:secret@a:x", "the port of a host is not a number"),
        ("redis+cluster://a/1", "a cluster has one database"),
        ("redis+cluster://a?b=c", "ends after the hosts"),
        ("redis+sentinel://a", "the name of the service is missing"),
        ("redis+sentinel://a/b/c/d", "the name of the service is missing"),
        ("redis+sentinel://a/b/secret", "the database is not a number"),
        ("redis+sentinel://a/b?secret=c", "only sentinel_username and sentinel_password"),
    ],
)
def test_what_cannot_be_read(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text) as failed:
        Deployment.parse(url)
    assert "secret" not in str(failed.value)


def test_nobody_sees_how_one_signs_in() -> None:
    assert Address("a", 7000, username="api", password="secret").shown == "a:7000"
    assert Address("::1", 7000).shown == "[::1]:7000"
    assert Address(path="/run/s").shown == "/run/s"
