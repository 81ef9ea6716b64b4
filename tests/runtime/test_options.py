"""Flags, environment variables and access keys."""

from __future__ import annotations

import re
import stat
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from api.options import ALLOWED, COMMANDS, parse
from api.serving.access_keys import BadOption, kept_key, parse_tenants
from api.serving.listeners import listen
from api.serving.settings import settings_of, tenants_of
from engine import __version__

KEY = b64encode(b"0123456789abcdef").decode()
OTHER = b64encode(b"fedcba9876543210").decode()


def test_defaults() -> None:
    options = parse(["serve"], {})
    assert (options.host, options.port, options.tls_port) == ("127.0.0.1", 8080, 8443)
    assert options.data_dir == ".jobrouter"
    settings = settings_of(options, {}, "unix:///s")
    assert settings.keep_finished_ms == 90 * 86_400_000
    assert settings.keep_events_ms == 7 * 86_400_000
    assert settings.outage_ms == 5_000


def test_flags_win_over_variables() -> None:
    environment = {"JOBROUTER_PORT": "1", "JOBROUTER_TLS_PORT": "2"}
    options = parse(["serve", "--port", "3"], environment)
    assert (options.port, options.tls_port) == (3, 2)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("90d", 7_776_000_000), ("12h", 43_200_000), ("1.5m", 90_000), ("250ms", 250), ("0", 0)],
)
def test_durations(text: str, ms: int) -> None:
    assert parse(["api", "--slow-request", text], {}).slow_request == ms


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("port", "http"),
        ("host", ""),
        ("data-dir", " "),
        ("port", "70000"),
        ("keep-events", "soon"),
        ("keep-events-count", "0"),
        ("notifications", "?"),
        ("keep-finished", "0"),
        ("keep-events", "0"),
        ("keep-dead-letters", "0"),
        ("keep-finished", "36501d"),
        ("slow-request", "9" * 400 + "d"),
        ("keep-finished-count", "1000000001"),
        ("max-requests", "9" * 5000),
        ("rule-retries", "101"),
        ("retry-scale", "1001"),
        ("trusted-proxies", "proxy"),
        ("trusted-proxies", "10.0.0.0/8"),
    ],
)
def test_values_that_cannot_be_used(flag: str, text: str) -> None:
    with pytest.raises(BadOption, match=f"--{flag} .* cannot be '{re.escape(text)}': it must be "):
        parse(["serve", f"--{flag}", text], {})


@pytest.mark.parametrize("number", ["0", "-1", "257", "10000", "x"])
def test_processes_that_cannot_be(number: str) -> None:
    with pytest.raises(BadOption, match="from 1 to 256"):
        parse(["api", "--workers", number], {})


@pytest.mark.parametrize("flag", ["public-base-url", "otlp"])
@pytest.mark.parametrize(
    "text",
    [
        "router.example.com",
        "ftp://h",
        "https://",
        "http://[::1",
        "http://h:x",
        "http://h:0",
        "http://u:p@h",
        "http://h?x",
        "http://h#x",
        "http://a b",
    ],
)
def test_addresses_that_cannot_be(flag: str, text: str) -> None:
    with pytest.raises(BadOption, match=f"--{flag} .* must be an address"):
        parse(["serve", f"--{flag}", text], {})


def test_addresses() -> None:
    url = "https://router.example.com:8443/jobs/"
    assert parse(["serve", "--public-base-url", url], {}).public_base_url == url
    assert parse(["serve"], {"JOBROUTER_PUBLIC_BASE_URL": ""}).public_base_url == ""
    options = parse(["serve", "--trusted-proxies", "10.0.0.1, ::0001,"], {})
    assert settings_of(options, {}, "").trusted_proxies == ("10.0.0.1", "::1")


@pytest.mark.parametrize("tenants", ["{a}", "main,A", "a b", "a" * 64, "a:b"])
def test_names_that_no_router_has(tenants: str) -> None:
    with pytest.raises(BadOption, match="is no name of a router"):
        tenants_of(parse(["worker", "--tenants", tenants], {}))


@pytest.mark.parametrize("flag", ["keep-finished", "keep-events", "outage", "rule-timeout"])
def test_number_without_its_unit(flag: str) -> None:
    """It would be days to one reader and seconds to the next."""
    with pytest.raises(BadOption, match="with its unit"):
        parse(["serve", f"--{flag}", "30"], {})


def test_every_reader_tells_what_it_takes() -> None:
    readers = {flag.read for _, flags in COMMANDS.values() for flag in flags}
    assert readers - {str} == set(ALLOWED)


def test_what_was_given() -> None:
    options = parse(["api", "--port", "8080"], {"JOBROUTER_TLS_PORT": "8443"})
    assert options.given == {"port", "tls_port"}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"], {})
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"jobrouter {__version__}\n"


def test_labels() -> None:
    options = parse(["expression", "1", "--job", '{"b": 1.5, "a": "x"}'], {"JOBROUTER_QUEUE": '{"c":true}'})
    assert (options.expression, options.worker) == ("1", "")
    assert (options.job, options.queue) == ('"a":"x",\n"b":1.5', '"c":true')


@pytest.mark.parametrize("text", ["", "x", "[]", '{"a":null}', '{"a":{}}', '{"a":1e999}'])
def test_labels_that_cannot_be_used(text: str) -> None:
    with pytest.raises(BadOption, match="--worker "):
        parse(["expression", "1", "--worker", text], {})


def test_forever_needs_no_value() -> None:
    assert parse(["demo", "--forever"], {}).forever
    assert not parse(["demo"], {}).forever


def test_how_rules_are_called() -> None:
    """For a worker as for everything in one; places may be given in parts."""
    for command in ("serve", "worker"):
        options = parse([command], {})
        assert (options.allow_outgoing, options.rule_timeout, options.rule_retries) == ((), 5_000, 1)
        flags = ("--allow-outgoing", "10.1.0.0/16, hooks.internal", "--allow-outgoing", "::1")
        options = parse([command, *flags, "--rule-timeout", "2.5s", "--rule-retries", "0"], {})
        assert options.allow_outgoing == ("10.1.0.0/16", "hooks.internal", "::1")
        assert (options.rule_timeout, options.rule_retries) == (2_500, 0)
        options = parse([command], {"JOBROUTER_ALLOW_OUTGOING": "::1", "JOBROUTER_RULE_TIMEOUT": "300ms"})
        assert (options.allow_outgoing, options.rule_timeout) == (("::1",), 300)


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("allow-outgoing", "http://x/"),
        ("rule-timeout", "0"),
        ("rule-timeout", "soon"),
        ("rule-retries", "-1"),
        ("rule-retries", "x"),
    ],
)
def test_ways_to_call_rules_that_cannot_be(flag: str, text: str) -> None:
    with pytest.raises(BadOption, match=flag):
        parse(["worker", f"--{flag}", text], {})


def test_tenants() -> None:
    tenants = parse_tenants(f"main={KEY},{OTHER}; other={OTHER}", "other=a.example.com,b.example.com")
    assert tenants["main"].keys == (b64decode(KEY), b64decode(OTHER))
    assert tenants["other"].keys == (b64decode(OTHER),)
    assert tenants["other"].hosts == ("a.example.com", "b.example.com")


@pytest.mark.parametrize(
    "keys",
    [KEY[:5], f"Main={KEY}", f"a b={KEY}", "main=???", "main=c2hvcnQ=", f"main={KEY};main={KEY}", f"={KEY}"],
)
def test_keys_that_cannot_be_used_are_not_shown(keys: str) -> None:
    with pytest.raises(BadOption) as caught:
        parse_tenants(keys)
    assert KEY[:5] not in str(caught.value)


@pytest.mark.parametrize("keys", ["main=", "main= , ", f"main={KEY};other="])
def test_a_router_without_a_key(keys: str) -> None:
    with pytest.raises(BadOption, match="but give it no key"):
        parse_tenants(keys)


@pytest.mark.parametrize("host", ["a" * 64, "a..b"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(BadOption, match="Cannot listen on"):
        listen(host, 0)


def test_hosts_of_nobody() -> None:
    with pytest.raises(BadOption, match="'other' has hosts but no access key"):
        parse_tenants(f"main={KEY}", "other=h")


@pytest.mark.parametrize(
    "host", ["localhost:18481", "http://h", "h/", "h/path", "::1", "[::1]:80", "u@h", "a b"]
)
def test_hosts_are_names_alone(host: str) -> None:
    with pytest.raises(BadOption, match="without scheme, port and path"):
        parse_tenants(f"main={KEY}", f"main={host}")


def test_hosts_may_be_addresses() -> None:
    assert parse_tenants(f"main={KEY}", "main=10.1.2.3,[::1]")["main"].hosts == ("10.1.2.3", "[::1]")


def test_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "access-key"
    key = kept_key(path)
    assert kept_key(path) == key
    assert len(b64decode(key)) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
