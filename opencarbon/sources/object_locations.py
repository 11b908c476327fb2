"""URIs of object stores, and the stores behind them.

Keys are taken from the URI, or from where obstore finds them:

======  ===========================================================================================================
s3      ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``; the role of the container, pod or
        machine; with boto3 installed also profiles and single sign-on. ``AWS_REGION``, ``AWS_ENDPOINT_URL``
gs      ``GOOGLE_APPLICATION_CREDENTIALS``, ``GOOGLE_SERVICE_ACCOUNT``; the login of gcloud; the role of the machine
abfss   ``AZURE_STORAGE_ACCOUNT_KEY``, ``AZURE_STORAGE_SAS_KEY``; ``AZURE_CLIENT_ID``, ``AZURE_CLIENT_SECRET`` and
        ``AZURE_TENANT_ID``; the identity of the machine or pod. ``AZURE_STORAGE_ACCOUNT_NAME`` where the URI has none
======  ===========================================================================================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import pyarrow.fs as pafs

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

SCHEMES: Final = frozenset({"s3", "gs", "gcs", "abfs", "abfss"})
"""Schemes that are object stores."""

_S3_OPTIONS: Final = frozenset({"region", "endpoint_override", "scheme"})
RETRIES: Final[RetryConfig] = {
    "max_retries": 12,
    "retry_timeout": timedelta(minutes=3),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
"""Enough to outlast a store that turns away half of all requests for minutes."""
_CLIENT: Final[ClientConfig] = {"timeout": timedelta(minutes=2)}
"""A request for a large part of a file may take this long."""


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket or container, and what its URI says of the way to it.

    Parameters
    ----------
    scheme : str
        ``s3``, ``gs`` or ``abfss``.
    bucket : str
    user, password : str
        Empty where they are not in the URI.
    account : str
        Of Azure; empty where it is not in the URI.
    options : tuple of tuple of str
        Names and values of the query.
    """

    scheme: str
    bucket: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    account: str = ""
    options: tuple[tuple[str, str], ...] = ()


def parse(location: str) -> tuple[Address, str]:
    """Read a URI.

    Parameters
    ----------
    location : str
        ``s3://[key:secret@]bucket/path[?region=...&endpoint_override=...&scheme=http]``, ``gs://bucket/path`` or
        ``abfss://container[:key]@account.dfs.core.windows.net/path``.

    Returns
    -------
    tuple of Address and str
        The bucket, and the path with the bucket before it.

    Raises
    ------
    ValueError
        If the URI has no bucket, or an option that is not known.
    """
    scheme, _, rest = location.partition("://")
    scheme = scheme.lower()
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    user, _, password = (unquote(part) for part in login.partition(":"))
    options = tuple(parse_qsl(query, keep_blank_values=True))
    known = _S3_OPTIONS if scheme == "s3" else frozenset()
    if {name for name, _ in options} - known:
        raise ValueError(f"options of a {scheme}:// URI are {', '.join(sorted(known)) or 'none'}")
    account = ""
    if scheme in ("abfs", "abfss"):
        scheme, bucket = "abfss", user or host
        if "." in host:
            account, bucket = host.partition(".")[0], user
            if not bucket:
                bucket, _, path = path.partition("/")
        user = ""
    else:
        scheme, bucket = "gs" if scheme == "gcs" else scheme, host
    if not bucket:
        raise ValueError("the URI has no bucket")
    below = unquote(path).strip("/")
    if below and {"", ".", ".."} & set(below.split("/")):
        raise ValueError("a path of an object store has no empty part, no . and no ..")
    address = Address(scheme, bucket, user, password, account, options)
    return address, f"{bucket}/{below}" if below else bucket


def opened(address: Address) -> ObjectStore:
    """Open a store.

    Parameters
    ----------
    address : Address

    Returns
    -------
    obstore.store.ObjectStore
    """
    from obstore import store

    shared: Any = {"retry_config": RETRIES, "client_options": _CLIENT}
    if address.scheme == "s3":
        return store.S3Store(address.bucket, **shared | _s3(address))
    if address.scheme == "gs":
        anonymous = {"skip_signature": True} if address.user == "anonymous" else {}
        return store.GCSStore(address.bucket, **shared | anonymous)
    azure = {"account_name": address.account, "account_key": address.password}
    given = {name: value for name, value in azure.items() if value}
    return store.AzureStore(address.bucket, **shared | given)


def _s3(address: Address) -> dict[str, Any]:
    options = dict(address.options)
    found: dict[str, Any] = {}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    if "endpoint_override" in options:
        endpoint = f"{options.get('scheme', 'https')}://{options['endpoint_override']}"
    if endpoint:
        found["endpoint"] = endpoint
        found["client_options"] = _CLIENT | {"allow_http": endpoint.startswith("http://")}
    if address.user:
        found |= {"access_key_id": address.user, "secret_access_key": address.password}
    elif not os.environ.get("AWS_ACCESS_KEY_ID") and find_spec("boto3"):
        found["credential_provider"] = _of_boto3()
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        region = pafs.resolve_s3_region(address.bucket)
    return {name: value for name, value in (found | {"region": region}).items() if value is not None}


def _of_boto3() -> object | None:
    """Keys of profiles, single sign-on and roles, as boto3 finds them; None where it finds none."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except ValueError:
        return None
