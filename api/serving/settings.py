"""What the options of a command mean: settings, routers, servers, certificates, ports."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from api.options import Options
from api.serving import tls
from api.serving.access_keys import BadOption, checked_name, parse_tenants
from api.serving.router import host_of
from engine.deployment import Deployment
from engine.settings import Settings, Tenant

_RENAMED = {
    "keep_finished": "keep_finished_ms",
    "keep_events": "keep_events_ms",
    "outage": "outage_ms",
    "rule_timeout": "rule_timeout_ms",
    "delivery_timeout": "delivery_timeout_ms",
    "keep_dead_letters": "keep_dead_letters_ms",
    "slow_request": "slow_request_ms",
    "wait_timeout": "wait_timeout_ms",
}


def settings_of(options: Options, tenants: dict[str, Tenant], url: str) -> Settings:
    """The settings that the options of any command give."""
    given = {_RENAMED.get(name, name): value for name, value in vars(options).items()}
    fields = {name: given[name] for name in Settings.__struct_fields__ if name in given}
    return Settings(**{**fields, "tenants": tenants, "redis_url": url})


def tenants_of(options: Options) -> dict[str, Tenant]:
    """The tenants that a command without HTTP is for. Raises BadOption."""
    names = [name.strip() for name in options.tenants.split(",") if name.strip()]
    if names:
        return {checked_name(name): Tenant(name) for name in names}
    return parse_tenants(options.access_keys) or {"main": Tenant("main")}


def required_url(options: Options) -> str:
    """The address of the store that a part alone needs. Raises BadOption."""
    if not options.redis_url:
        raise BadOption("The address of the store is missing: give --redis-url or JOBROUTER_REDIS_URL.")
    return options.redis_url


def deployment_of(url: str) -> Deployment:
    """The servers that --redis-url names. Raises BadOption."""
    try:
        return Deployment.parse(url)
    except ValueError as error:
        raise BadOption(f"--redis-url cannot be used: {error}.") from None


def check_api(options: Options) -> None:
    """Looks whether the options of an API fit each other. Raises BadOption."""
    if not options.access_keys:
        raise BadOption("The access keys are missing: give --access-keys or JOBROUTER_ACCESS_KEYS.")
    if given_files(options) is None and "tls_port" in options.given:
        raise BadOption(
            "--tls-port (or JOBROUTER_TLS_PORT) needs a certificate: give --tls-cert and --tls-key. "
            "Only 'jobrouter serve' makes a development certificate."
        )


def ports(options: Options, *, secure: bool) -> list[int]:
    """The ports for http, and for https where it is spoken."""
    return [options.port, options.tls_port] if secure else [options.port]


def given_files(options: Options) -> tls.Files | None:
    """The certificate and key that are given, or None. Raises BadOption."""
    if bool(options.tls_cert) != bool(options.tls_key):
        raise BadOption("--tls-cert and --tls-key belong together.")
    return tls.Files(Path(options.tls_cert), Path(options.tls_key), None) if options.tls_cert else None


def certified_hosts(options: Options, tenants: dict[str, Tenant]) -> tuple[str, ...]:
    """The names and addresses by which clients reach the routers, for a development certificate."""
    addresses = [
        options.public_base_url,
        *(f"//{host_of(tenant, options.host)}" for tenant in tenants.values()),
    ]
    hosts = [urlsplit(f"//{host}").hostname for tenant in tenants.values() for host in tenant.hosts]
    return tuple(filter(None, [options.host, *(urlsplit(address).hostname for address in addresses), *hosts]))
