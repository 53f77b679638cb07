"""Certificates of a cluster: an authority, and a certificate for scheduler, workers and clients."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ck_repo.campaign.optional import optional
from ck_repo.errors import ConfigError, ConflictError, NotFoundError
from ck_repo.session import Session
from ck_repo.store.atomic import storage_errors
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import LOCAL
from ck_repo.store.search import find, load
from ck_repo.store.writing import create_entry

MODULE = "cluster"
NAME = "default"
AUTHORITY, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"
# address of Dask's HTTP server, which cannot be disabled and is not encrypted: only this machine can connect
HTTP = "127.0.0.1:0"
_DAYS = 825


def create_certificates(session: Session, name: str = "") -> Entry:
    """Create the certificates of a cluster, as an entry whose files only this user can read.

    The cluster trusts everyone who has the certificate, so the folder should only be copied to its machines.

    Raises
    ------
    ConflictError
        If the entry exists.
    """
    name = name or NAME
    if find(session.repositories, MODULE, name, repository=LOCAL):
        raise ConflictError(f"{MODULE}:{name} already exists", hint=f"choose another name, or `ck rm {MODULE}:{name}`")
    files = _certificates(name)
    entry = create_entry(session.repositories.writable(), MODULE, name, {"tags": [MODULE]})
    with storage_errors(f"writing {entry.path}"):
        entry.path.chmod(0o700)
        for file, content in files.items():
            handle = os.open(entry.path / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)
    return entry


def _certificates(name: str) -> dict[str, bytes]:
    x509 = optional("cryptography.x509", "cluster")
    hashes = optional("cryptography.hazmat.primitives.hashes", "cluster")
    forms = optional("cryptography.hazmat.primitives.serialization", "cluster")
    curves = optional("cryptography.hazmat.primitives.asymmetric.ec", "cluster")
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)  # clocks differ
    authority_key, key = (curves.generate_private_key(curves.SECP256R1()) for _ in range(2))

    def named(text: str) -> Any:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def certificate(subject: str, public: Any, *, authority: bool) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=named(f"ck {name} authority"),
            subject_name=named(subject),
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=begin,
            not_valid_after=begin + datetime.timedelta(days=_DAYS),
        ).add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        signed = builder.sign(authority_key, hashes.SHA256())
        return bytes(signed.public_bytes(forms.Encoding.PEM))

    plain = (forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    return {
        AUTHORITY: certificate(f"ck {name} authority", authority_key.public_key(), authority=True),
        CERTIFICATE: certificate(f"ck {name}", key.public_key(), authority=False),
        KEY: bytes(key.private_bytes(*plain)),
    }


def certificates(session: Session, name: str = "") -> dict[str, str]:
    """Paths of a cluster's certificates, by their names.

    Raises
    ------
    NotFoundError
        If there is no such cluster.
    """
    try:
        entry = load(session.repositories, MODULE, name or NAME, LOCAL)  # whoever created a certificate knows its key
    except NotFoundError:
        raise NotFoundError(
            f"there are no certificates {MODULE}:{name or NAME}",
            hint=f"`ck create {MODULE}{':' + name if name else ''}` creates them; copy the folder to the other machines",
        ) from None
    paths = {file: entry.path / file for file in (AUTHORITY, CERTIFICATE, KEY)}
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise ConfigError(f"{entry.cid} lacks {missing[0]}", hint=f"`ck rm {entry.cid}`, and create it again")
    return {file: str(path) for file, path in paths.items()}


def security(files: Mapping[str, str]) -> Any:
    """Dask's settings for encrypted and mutually authenticated connections."""
    row: dict[str, object] = {"tls_ca_file": files[AUTHORITY], "require_encryption": True}
    for role in ("scheduler", "worker", "client"):
        row |= {f"tls_{role}_cert": files[CERTIFICATE], f"tls_{role}_key": files[KEY]}
    return optional("distributed.security", "cluster").Security(**row)


def worker_words(files: Mapping[str, str]) -> list[str]:
    """Options of `dask worker` and `dask scheduler` for these certificates."""
    tls = [f"--tls-ca-file={files[AUTHORITY]}", f"--tls-cert={files[CERTIFICATE]}", f"--tls-key={files[KEY]}"]
    return [*tls, f"--dashboard-address={HTTP}"]


def folder_of(files: Mapping[str, str]) -> Path:
    """The folder to copy to the other machines."""
    return Path(files[AUTHORITY]).parent
