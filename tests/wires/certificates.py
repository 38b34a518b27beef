"""Authorities and the certificates that they issue, in PEM files."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the files of both."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    pem: Path
    key_pem: Path

    def server(self):
        """Return the context of a server that shows it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.pem, self.key_pem)
        return context


def authority(folder, name, *, until=DAY):
    return _issued(folder, name, by=None, names=(), until=until)


def certificate(folder, by, *names, until=DAY):
    return _issued(folder, names[0], by=by, names=names, until=until)


def self_signed(key, since):
    """Return the certificate, in PEM, that a key makes for itself for a day."""
    nobody = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(since)
        .not_valid_after(since + DAY)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _issued(folder, name, *, by, names, until):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), True)
    )
    if names:
        hosts = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(hosts, critical=False)
    made = builder.sign(by.key if by else key, hashes.SHA256())
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Issued(made, key, pem, key_pem)


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
