"""A small certification authority: root, intermediate, and leaves with every flaw that a test asks for."""

import datetime
import functools
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_KINDS = ("p256", "p384", "rsa2048")


def new_key(kind):
    """A private key of one of KEY_KINDS."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "rsa2048":
        return rsa.generate_private_key(65537, 2048)
    raise ValueError(kind)


def _pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


def _key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def replace_file(path, content):
    """Puts content under path in one step, as editors and ACME clients do: a new file, then a rename."""
    path = Path(path)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.rename(path)


@dataclass
class Pair:
    """A leaf with its issuers and its key."""

    leaf_pem: bytes
    chain_pem: bytes  # leaf first
    key_pem: bytes
    leaf_der: bytes

    def save(self, folder, leaf_only=False):
        """Writes fullchain.pem and privkey.pem, as certbot does; the key first, each in one step."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "privkey.pem", self.key_pem)
        (folder / "privkey.pem").chmod(0o600)
        replace_file(folder / "fullchain.pem", self.leaf_pem if leaf_only else self.chain_pem)
        return folder


class Authority:
    """Root and one intermediate; `root_pem` is what clients trust."""

    def __init__(self, folder, key="p256"):
        self._root_key = new_key(key)
        self._root = self._make_ca("flow test root", self._root_key, None, None)
        self._sub_key = new_key(key)
        self._sub = self._make_ca("flow test intermediate", self._sub_key, self._root, self._root_key)
        self.root_pem = _pem(self._root)
        self.root_file = Path(folder) / "root.pem"
        self.root_file.write_bytes(self.root_pem)
        self.root_file.chmod(0o644)

    @staticmethod
    def _make_ca(common_name, key, issuer, issuer_key):
        now = datetime.datetime.utcnow()
        ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(issuer.subject if issuer else _name(common_name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=4000))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(ski, critical=False)
            .sign(issuer_key or key, hashes.SHA256())
        )

    @functools.cached_property
    def _rsa_key(self):
        return new_key("rsa2048")  # one for all tests: making it is slow, and no test needs two

    def issue(self, *names, key="p256", common_name=None, starts_days=-1, ends_days=89):
        """A leaf for the host names (none: no SAN at all), valid from and to that many days from now."""
        private = self._rsa_key if key == "rsa2048" else new_key(key)
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name or (names[0][:64] if names else "nobody")))
            .issuer_name(self._sub.subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=starts_days))
            .not_valid_after(now + datetime.timedelta(days=ends_days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        if names:
            san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(san, critical=False)
        leaf = builder.sign(self._sub_key, hashes.SHA256())
        return Pair(
            _pem(leaf),
            _pem(leaf) + _pem(self._sub),
            _key_pem(private),
            leaf.public_bytes(serialization.Encoding.DER),
        )
