"""The development certificate: signed by a CA of its own, whose private key is thrown away at once."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.data_directory import write_private

VALID_DAYS = 397
RENEWED_BEFORE_DAYS = 30

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_ANY = ("", "0.0.0.0", "::", "*")


class Files(NamedTuple):
    """A certificate and its key; ``ca`` is what clients have to trust, None for an operator's certificate."""

    certificate: Path
    key: Path
    ca: Path | None
    note: str = ""


def development_files(folder: Path, hosts: tuple[str, ...]) -> Files:
    """The certificate in a folder, made anew when it is missing, near its end, or not for one of the hosts.

    ``note`` is what the operator has to know: that a CA that clients may have trusted was replaced.
    """
    names = tuple(dict.fromkeys([*_ALWAYS, *(host for host in hosts if host not in _ANY)]))
    files = Files(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    had_one = files.certificate.exists()
    reason = _reason_to_renew(files, names)
    if not reason:
        return files
    _make(files, names)
    return (
        files._replace(note=f"A new development CA was made: {reason}. Trust it anew.") if had_one else files
    )


def _reason_to_renew(files: Files, names: tuple[str, ...]) -> str:
    assert files.ca is not None
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        ssl.create_default_context(cafile=files.ca)
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(files.certificate, files.key)
    except (OSError, ValueError):
        return "files were missing or damaged"
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left < datetime.timedelta(days=RENEWED_BEFORE_DAYS):
        return "the certificate was about to expire"
    covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    missing = [name for name in names if _general(name) not in covered]
    return f"the certificate was not for {', '.join(missing)}" if missing else ""


def _make(files: Files, names: tuple[str, ...]) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, names)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, authority, authority_key, names)
    assert files.ca is not None
    write_private(files.key, _pem(key))
    write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    write_private(files.ca, authority.public_bytes(serialization.Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    name = _name(f"jobrouter development CA {datetime.date.today().isoformat()}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.NameConstraints([_constraint(name) for name in names], None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
    return (
        _builder(_name("jobrouter"), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(alternatives, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # clocks of clients may be behind
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
