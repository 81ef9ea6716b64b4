"""The development certificate: who may be served with it, for how long, and what is left of its CA."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from api.serving import tls


def certificate_of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(files: tls.Files, name: str) -> None:
    """Both sides of a handshake in memory, as a client that trusts the CA. Raises ssl.SSLError."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(files.certificate, files.key)
    client_context = ssl.create_default_context(cafile=str(files.ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "router.example.com", "10.1.2.3"])
def test_clients_that_trust_the_ca_accept_it(tmp_path: Path, name: str) -> None:
    handshake(tls.development_files(tmp_path, ("router.example.com", "10.1.2.3")), name)


def test_other_names_are_not_accepted(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.development_files(tmp_path, ()), "example.com")


def test_ca_is_good_for_nothing_else(tmp_path: Path) -> None:
    files = tls.development_files(tmp_path, ("0.0.0.0", "router.test"))
    assert files.ca
    constraints = certificate_of(files.ca).extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_network("127.0.0.1/32")),
        x509.IPAddress(ipaddress.ip_network("::1/128")),
        x509.DNSName("router.test"),
    ]
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    assert key.public_key() != certificate_of(files.ca).public_key(), "the CA's key was kept"
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "cert.pem", "key.pem"}
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_it_is_made_once(tmp_path: Path) -> None:
    first = tls.development_files(tmp_path, ()).certificate.read_bytes()
    files = tls.development_files(tmp_path, ())
    assert files.certificate.read_bytes() == first
    assert files.note == ""


def test_another_host_renews_it_and_says_so(tmp_path: Path) -> None:
    tls.development_files(tmp_path, ())
    files = tls.development_files(tmp_path, ("router.test",))
    assert "not for router.test" in files.note
    handshake(files, "router.test")


def test_the_end_of_its_time_renews_it_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "VALID_DAYS", 29)
    tls.development_files(tmp_path, ())
    monkeypatch.undo()
    files = tls.development_files(tmp_path, ())
    assert "about to expire" in files.note
    left = certificate_of(files.certificate).not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert left.days >= 396


def test_damage_renews_it_and_says_so(tmp_path: Path) -> None:
    tls.development_files(tmp_path, ()).key.write_text("")
    assert "damaged" in tls.development_files(tmp_path, ()).note
