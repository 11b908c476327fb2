"""Runs with planted utilisations, on devices of the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from opencarbon.catalog import Catalog, load_catalog
from opencarbon.estimation.evaluation import LEVEL, Facts
from opencarbon.tables.contracts import PUBLISHED

A100, A100_40, H100 = "NVIDIA A100 SXM4 80GB", "NVIDIA A100 SXM4 40GB", "NVIDIA H100 SXM5 80GB"
V100, TPU, L40 = "NVIDIA V100 SXM2 32GB", "Google TPU v3", "NVIDIA L40"
FLOP_PER_TFLOP_HOUR = 3.6e15


@cache
def catalog() -> Catalog:
    return load_catalog()


def facts() -> Facts:
    return Facts(catalog().devices, catalog().paper_devices, LEVEL)


def peak(device: str) -> float:
    rows = catalog().devices.select(["device", "peak_dense_tflop_per_s"]).to_pylist()
    return next(float(row["peak_dense_tflop_per_s"]) for row in rows if row["device"] == device)


def run(
    name: str, device: str = A100, utilisation: float = 0.4, flop: float = 1e22, **changes: Any
) -> dict[str, Any]:
    """A billed run of a family and an organisation of its own."""
    return {
        "run": name,
        "model": name,
        "family": name,
        "organisation": f"makers of {name}",
        "device": device,
        "devices": 256.0,
        "device_hours": flop / (utilisation * peak(device) * FLOP_PER_TFLOP_HOUR),
        "training_flop": flop,
        "flop_basis": "counted",
        "hours_scope": "billed",
        "used": True,
        "source_id": "papers",
        "parameters": 7e9,
        "model_kind": "decoder_language_model",
    } | changes


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PUBLISHED["training_runs"].schema())


def planted(families: int = 12, seed: int = 7) -> list[dict[str, Any]]:
    """Families of one to three runs on four devices; four runs are not billed, some are no decoders."""
    random = np.random.default_rng(seed)
    rows = []
    for family in range(families):
        device = (A100, H100, V100, A100)[family % 4]
        level = 0.35 * float(np.exp(random.normal(0.0, 0.35)))
        for number in range(1 + family % 3):
            rows.append(
                run(
                    f"run-{family:02}-{number}",
                    device,
                    level * float(np.exp(random.normal(0.0, 0.1))),
                    float(10.0 ** random.uniform(20.5, 24.0)),
                    family=f"family {family:02}",
                    organisation=f"organisation {family // 2}",
                    hours_scope="throughput" if family % 3 == 1 and number else "billed",
                    model_kind="other" if family % 4 == 2 else "decoder_language_model",
                )
            )
    return rows
