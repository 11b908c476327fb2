"""URIs of object stores, and what the stores behind them are opened with; no store is asked for anything."""

from __future__ import annotations

from typing import Any

import pytest
from obstore.store import AzureStore, GCSStore, S3Store

from opencarbon.sources.object_locations import Address, opened, parse

AMBIENT = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID")


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("location", "address", "path"),
    [
        ("s3://bucket", Address("s3", "bucket"), "bucket"),
        ("S3://bucket/A", Address("s3", "bucket"), "bucket/A"),
        ("s3://bucket/", Address("s3", "bucket"), "bucket"),
        ("s3://bucket/a/b.parquet", Address("s3", "bucket"), "bucket/a/b.parquet"),
        ("s3://bucket/a%20b/c d", Address("s3", "bucket"), "bucket/a b/c d"),
        ("s3://key:se%2Fcret@bucket/a", Address("s3", "bucket", "key", "se/cret"), "bucket/a"),
        (
            "s3://bucket/a?region=eu-west-1&scheme=http",
            Address("s3", "bucket", options=(("region", "eu-west-1"), ("scheme", "http"))),
            "bucket/a",
        ),
        ("gs://bucket/a", Address("gs", "bucket"), "bucket/a"),
        ("gcs://bucket/a", Address("gs", "bucket"), "bucket/a"),
        ("gs://anonymous@bucket/a", Address("gs", "bucket", "anonymous"), "bucket/a"),
        (
            "abfss://jobs@company.dfs.core.windows.net/a/b",
            Address("abfss", "jobs", account="company"),
            "jobs/a/b",
        ),
        (
            "abfs://jobs:key@company.dfs.core.windows.net/a",
            Address("abfss", "jobs", password="key", account="company"),
            "jobs/a",
        ),
        (
            "abfss://:key@company.blob.core.windows.net/jobs/a",
            Address("abfss", "jobs", password="key", account="company"),
            "jobs/a",
        ),
        ("abfss://jobs/a", Address("abfss", "jobs"), "jobs/a"),
    ],
)
def test_a_uri_names_a_bucket_and_a_path(location: str, address: Address, path: str) -> None:
    assert (address, path) == parse(location)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("s3:///a", "no bucket"),
        ("s3://b/a/../c", "no empty part"),
        ("s3://b/a//c", "no empty part"),
        ("abfss://@company.dfs.core.windows.net", "no bucket"),
        ("s3://b/a?secret_key=x", "options of a s3:// URI are endpoint_override, region, scheme"),
        ("gs://b/a?region=x", "options of a gs:// URI are none"),
    ],
)
def test_what_is_wrong_with_a_uri_is_told_without_its_secrets(location: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        parse(location)
    assert "secret_key" not in str(told.value)


def test_an_address_shows_no_key() -> None:
    shown = repr(parse("s3://a-key:a-secret@bucket/a")[0])
    assert "bucket" in shown
    assert "a-key" not in shown
    assert "a-secret" not in shown


def s3(location: str) -> dict[str, Any]:
    store = opened(parse(location)[0])
    assert isinstance(store, S3Store)
    return {**store.config, "allow_http": (store.client_options or {}).get("allow_http")}


def test_s3_is_opened_with_what_the_uri_says() -> None:
    config = s3("s3://key:secret@bucket/a?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9000")
    assert {
        "bucket": "bucket",
        "region": "eu-west-1",
        "endpoint": "http://127.0.0.1:9000",
        "access_key_id": "key",
        "secret_access_key": "secret",
        "allow_http": "true",
    } == config
    assert "https://127.0.0.1:9000" == s3("s3://b/a?endpoint_override=127.0.0.1:9000")["endpoint"]


def test_s3_is_opened_with_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    config = s3("s3://bucket/a")
    assert ("http://127.0.0.1:9000", "eu-north-1") == (config["endpoint"], config["region"])
    assert "access_key_id" not in config


def test_the_region_of_a_bucket_of_amazon_is_asked_for_where_nobody_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def region_of(bucket: str) -> str:
        asked.append(bucket)
        return "ap-south-1"

    monkeypatch.setattr("pyarrow.fs.resolve_s3_region", region_of)
    assert "ap-south-1" == s3("s3://bucket/a")["region"]
    assert ["bucket"] == asked
    assert "eu-west-1" == s3("s3://bucket/a?region=eu-west-1")["region"]
    assert ["bucket"] == asked


def test_google_cloud_storage_and_azure_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    google = opened(parse("gs://anonymous@bucket/a")[0])
    assert isinstance(google, GCSStore)
    assert "bucket" == google.config["bucket"]

    azure = opened(parse("abfss://jobs:a2V5@company.dfs.core.windows.net/a")[0])
    assert isinstance(azure, AzureStore)
    assert ("jobs", "company", "a2V5") == tuple(
        azure.config[name] for name in ("container_name", "account_name", "account_key")
    )

    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "company")
    assert isinstance(opened(parse("abfss://jobs/a")[0]), AzureStore)
