"""What a chaincode service is told: options, else environment variables.

The variables are those of Fabric's samples and official shims, so that a deployment of theirs runs ours unchanged.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from shirushi_chaincode.service.errors import SettingsError
from shirushi_chaincode.service.server import Tls

DEFAULT_CHAINCODE = "shirushi_chaincode.anchors:chaincode"
DEFAULT_GRACE = 30.0
LOG_LEVELS = ("debug", "info", "warning", "error")

_ADDRESS = ("CHAINCODE_SERVER_ADDRESS",)
_PACKAGE_ID = ("CHAINCODE_ID", "CORE_CHAINCODE_ID_NAME")
_TLS_CERTIFICATE = ("CHAINCODE_TLS_CERT_FILE", "CHAINCODE_TLS_CERT")
_TLS_KEY = ("CHAINCODE_TLS_KEY_FILE", "CHAINCODE_TLS_KEY")
_CLIENT_CA = ("CHAINCODE_TLS_CLIENT_CACERT_FILE", "CHAINCODE_CLIENT_CA_CERT")
_OPERATIONS = ("CHAINCODE_OPERATIONS_ADDRESS",)

_DESCRIPTION = "Serve a chaincode to Fabric peers (chaincode as a service)."
_EPILOG = """\
example:
  peer lifecycle chaincode install anchors.tar.gz     # type ccaas; prints the package id
  python -m shirushi_chaincode.service --address 0.0.0.0:9999 --id anchors_1.0:84ab... \\
    --tls-cert server.crt --tls-key server.key --client-ca peers-ca.crt --operations 127.0.0.1:9443

SIGTERM and SIGINT let running proposals end and reject new ones; a second one ends at once.
Exit codes: 0 stopped, 1 could not serve or proposals were cut off, 3 usage.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """A chaincode service's settings. grace: seconds that running proposals have when it is told to stop."""

    chaincode: str
    address: str
    package_id: str
    tls: Tls | None = None
    operations: tuple[str, int] | None = None
    grace: float = DEFAULT_GRACE
    log_level: str = "info"


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsError. --help prints and exits."""
    options = _parser().parse_args(arguments)

    def value(option: str | None, variables: tuple[str, ...]) -> str | None:
        return option or next((environment[name] for name in variables if environment.get(name)), None)

    address = value(options.address, _ADDRESS)
    if address is None:
        raise SettingsError(
            "the address to serve at is not given; give --address HOST:PORT or CHAINCODE_SERVER_ADDRESS"
        )
    package_id = value(options.id, _PACKAGE_ID)
    if package_id is None:
        raise SettingsError(
            "the chaincode's package id is not given; give --id or CHAINCODE_ID, as `peer lifecycle chaincode "
            "queryinstalled` shows it"
        )
    operations = value(options.operations, _OPERATIONS)
    host, port = _parse_address(address, "--address")
    return Settings(
        chaincode=options.chaincode,
        address=f"{host}:{port}",
        package_id=package_id,
        tls=_read_tls(
            value(options.tls_cert, _TLS_CERTIFICATE),
            value(options.tls_key, _TLS_KEY),
            value(options.client_ca, _CLIENT_CA),
        ),
        operations=None if operations is None else _parse_address(operations, "--operations"),
        grace=options.grace,
        log_level=options.log_level,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m shirushi_chaincode.service",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "chaincode",
        nargs="?",
        default=DEFAULT_CHAINCODE,
        metavar="MODULE:ATTRIBUTE",
        help="an object with an async method invoke(stub), or a class of such (default: %(default)s)",
    )

    def option(name: str, metavar: str, variables: tuple[str, ...], text: str) -> None:
        parser.add_argument(name, metavar=metavar, help=f"{text} [{', '.join(variables)}]")

    option("--address", "HOST:PORT", _ADDRESS, "where peers dial; port 0 takes a free one")
    option("--id", "PACKAGE_ID", _PACKAGE_ID, "the installed package's id, label:hash")
    option(
        "--tls-cert",
        "FILE",
        _TLS_CERTIFICATE,
        "the server's certificate chain, PEM; without it there is no TLS",
    )
    option("--tls-key", "FILE", _TLS_KEY, "its private key, PEM")
    option("--client-ca", "FILE", _CLIENT_CA, "CAs of the peers that may connect, PEM; makes TLS mutual")
    option(
        "--operations", "HOST:PORT", _OPERATIONS, "where /healthz and /metrics are served; nowhere without it"
    )
    parser.add_argument(
        "--grace",
        type=_seconds,
        default=DEFAULT_GRACE,
        metavar="SECONDS",
        help="how long running proposals have when the service is told to stop (default: %(default)g)",
    )
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="(default: %(default)s)")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds"  # argparse says "invalid number of seconds value"


def _parse_address(text: str, option: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(f"{option}: expected HOST:PORT, found {text!r}")
    return host or "0.0.0.0", int(port)  # noqa: S104 - ":9999" is how Go's shim is told all interfaces


def _read_tls(certificate_file: str | None, key_file: str | None, ca_file: str | None) -> Tls | None:
    if certificate_file is None and key_file is None:
        if ca_file is not None:
            raise SettingsError(
                "--client-ca is given without --tls-cert and --tls-key; give all three for mutual TLS"
            )
        return None
    if certificate_file is None or key_file is None:
        missing = "--tls-cert" if certificate_file is None else "--tls-key"
        raise SettingsError(f"{missing} is not given; TLS needs both --tls-cert and --tls-key")
    certificate = _read(certificate_file, "--tls-cert")
    key = _read(key_file, "--tls-key")
    try:
        public_key = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(
            f"--tls-key: expected an unencrypted PEM private key in {key_file}, found none"
        ) from None
    own = _certificates(certificate, certificate_file, "--tls-cert")[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_key().public_bytes(*form) != public_key.public_bytes(*form):
        raise SettingsError(
            f"the key in {key_file} is not that of the first certificate in {certificate_file}"
        )
    if ca_file is None:
        return Tls(certificate, key)
    client_ca = _read(ca_file, "--client-ca")
    _certificates(client_ca, ca_file, "--client-ca")
    return Tls(certificate, key, client_ca)


def _read(file: str, option: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"{option}: {file} cannot be read: {error.strerror}") from None


def _certificates(data: bytes, file: str, option: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise SettingsError(f"{option}: expected PEM certificates in {file}, found none") from None
