"""Made-up tables in the form of the paper's reproduction: as many rows and as wide a span as the real ones.

The cells of the paper are those it prints; everything else is drawn from a fixed seed.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from opencarbon.estimation.reproduction import Finding
from opencarbon.publishing.figures import EmbodiedFigure
from opencarbon.tables.conform import conform
from opencarbon.tables.contracts import PUBLISHED, Contract
from opencarbon.tables.reproduction import METHOD_ESTIMATE, REPRODUCED

SOURCE = "epoch-ai-models"
HOSTILE = "<script>alert('model')</script> & $x_1$"
"""A model with a name that is code in three languages."""

TABLE_1 = """
TPUv2 280 46 -1 -0.5|TPUv3 450 123 3 13|TPUv4 300 275 15 40|K80 300 8.73 -6.7 -6.6
P100 300 21.2 -4.5 -3.8|V100 300 125 -2 10|A100 400 312 20 50|H100 700 989 100 110
"""
TABLE_2 = """
GLM 257 153.11 160.21 161.39 276.92 223.84|BLOOM 24.7 19.89 21.49 21.42 21.96 27.17
StarCoder 17.26 14.14 14.01 14.32 18.07 18.07|LLaMa-3 1900 4074.63 811.20 803.64 1966.17 1966.17
ViT-L/16 2.71 0.20 0.45 1.03 2.29 0.805|Swin-L 0.80 0.10 0.25 0.51 0.68 0.685
"""
TABLE_3 = """
GLM 1658.8 898.37 1787.35 1444.8|BLOOM 1627.5 1090.65 1444.75 1787.4|StarCoder 480.38 285.23 437.11 437.11
LLaMa-3 10880 21211.80 11261.75 11261.75|ViT-L/16 13.06 0.88 11.05 3.88|Swin-L 7.92 0.91 6.77 6.81
"""
ACTUAL = {
    "GLM": 257e3,
    "BLOOM": 24.7e3,
    "StarCoder": 17.26e3,
    "LLaMa-3": 1.9e6,
    "ViT-L/16": 2710.0,
    "Swin-L": 800.0,
}
TASKS = (
    *("Chat", "Language model", "Proteins", "Weather prediction", "Code generation", "Object detection"),
    *(
        "Image generation",
        "Translation",
        "Text-to-image",
        "Visual question answering",
        "Image classification",
    ),
    *("Text autocompletion", "Zero-shot image classification", "Image completion", "StarCraft"),
)
MODELS = """
Inflection-2.5|Gemini Ultra|MegaScale (Production)|Inflection-2|GPT-4|PaLM 2|GPT-3.5|Flan-PaLM 540B|Flan-T5 11B|Flan 137B
Megatron-Turing NLG 530B|LaMDA|LLaMA-65B|Llama 2-70B|BLOOM-176B|Skywork-13B|BloombergGPT|ProT5-XXL|ESM2-15B
xTrimoPGLM-100B|Pangu-Weather|PanGu-Σ|StarCoder|ViT-22B|Stable Diffusion (LDM-KL-8-G)|Taiyi-Stable Diffusion
GShard (dense)|NLLB|Imagen|Parti|Flamingo|Meta Pseudo Labels|CoAtNet|CoCa|BASIC-L|GPT-3 175B|Turing-NLG|Meena|Switch
CLIP (ViT L/14@336px)|iGPT-XL|AlphaStar|Llama 3-70B|DeepSeek LLM 67B
"""
LANGUAGE = {
    "BLOOM": (39.1, 27.0),
    "StarCoder": (33.8, 18.0),
    "GLM-130B": (44.8, 224.0),
    "GPT-3": (43.9, 552.0),
    "DeepSeek LLM 67B": (71.3, 310.0),
    "Yi-34B": (76.3, 240.0),
    "Llama 3-70B": (79.5, 1966.0),
}
VISION = {
    "CoCa": (91.0, 72.0),
    "BASIC-L": (90.9, 115.0),
    "CoAtNet": (90.88, 42.0),
    "Swin Transformer V2": (90.17, 9.0),
    "ViT-G/14": (90.45, 62.0),
    "Meta Pseudo Labels": (90.2, 55.0),
    "EVA-01": (89.7, 22.0),
    "ALIGN": (88.64, 31.0),
    "Noisy Student (L2)": (88.4, 25.0),
    "SEER": (85.8, 12.0),
    "ResNet-RS": (84.4, 1.3),
}
GROUPS = {
    "K80": (-6.7, 0.2, 4),
    "P100": (-4.1, 0.8, 6),
    "TPU v2": (-0.8, 1.0, 5),
    "V100": (6.0, 9.0, 22),
    "TPU v3": (9.0, 8.0, 14),
    "TPU v4": (28.0, 18.0, 18),
    "A100": (36.0, 22.0, 38),
    "TPU v5p": (74.0, 9.0, 3),
    "H100": (104.0, 16.0, 9),
    "H800": (92.0, 8.0, 3),
}
PUBLISHED_ALPHA = {
    "K80": (-6.7, -6.6),
    "P100": (-4.5, -3.8),
    "TPU v2": (-1.0, -0.5),
    "V100": (-2.0, 10.0),
    "TPU v3": (3.0, 13.0),
    "TPU v4": (15.0, 40.0),
    "A100": (20.0, 50.0),
    "H100": (100.0, 110.0),
}
EMBODIED = (
    *(
        EmbodiedFigure("NVIDIA H100 SXM5 80GB", *one)
        for one in (("die only", 14.65), ("vendor footprint", 164.0))
    ),
    *(EmbodiedFigure("NVIDIA H100 SXM5 80GB", *one) for one in (("bottom up", 575.1), ("flat rate", 150.0))),
    *(EmbodiedFigure("NVIDIA A100 SXM4 80GB", *one) for one in (("die only", 13.14), ("bottom up", 567.7))),
    *(EmbodiedFigure("NVIDIA A100 SXM4 80GB", *one) for one in (("bottom up", 143.0), ("flat rate", 150.0))),
    *(EmbodiedFigure("NVIDIA V100 SXM2 32GB", *one) for one in (("die only", 9.78), ("bottom up", 290.0))),
    *(EmbodiedFigure("Google TPU v4", *one) for one in (("die only", 6.4), ("life cycle assessment", 386.0))),
)
FINDINGS = (
    Finding(
        "The FLOP of GLM and BLOOM are exchanged",
        "With the FLOP that Table 2 states, GLM comes out at 223.8 t; the published 276.9 t needs BLOOM's.",
        (
            ("GLM, as published", 276.92, "tCO2e"),
            ("with its own FLOP", 223.84, "tCO2e"),
            ("error", -12.9, "%"),
        ),
    ),
    Finding(
        "ViT-L/16 does not follow from its inputs",
        f"2.29 t needs 1.565 ZFLOP, the table states 0.53. {HOSTILE}",
        (
            ("as published", 2.29, "tCO2e"),
            ("recomputed", 0.805, "tCO2e"),
            ("verdict", "not reproduced", None),
        ),
    ),
)


def _words(text: str) -> list[str]:
    return [part for line in text.strip().splitlines() for part in line.split("|")]


def _table(contract: Contract, rows: list[dict[str, Any]]) -> pa.Table:
    rows = sorted(rows, key=lambda row: tuple(row[name] for name in contract.key))
    full = [{name: row.get(name) for name in contract.columns} for row in rows]
    return conform(pa.Table.from_pylist(full, schema=contract.schema()), contract)


def _interval(middle: float, factor: float) -> dict[str, float]:
    kgco2e = 1e3 * middle
    low, high = kgco2e / factor, kgco2e * factor
    return {"operational_kgco2e": kgco2e, "operational_low_kgco2e": low, "operational_high_kgco2e": high}


def _cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(table: str, subject: str, quantity: str, unit: str, published: str, again: float | None) -> None:
        value = float(published)
        difference = None if again is None else 100 * (again / value - 1)
        found.append(
            {
                "paper_table": table,
                "cell": 1 + sum(cell["paper_table"] == table for cell in found),
                "subject": subject,
                "quantity": quantity,
                "unit": unit,
                "published_value": value,
                "recomputed_value": again,
                "refitted_value": value * 1.11,
                "difference_pct": difference,
                "remark": "Needs the FLOP of another model." if difference and abs(difference) > 5 else None,
            }
        )

    for line in _words(TABLE_1):
        device, tdp, peak, low, high = line.split()
        for quantity, unit, text in (
            ("tdp", "W", tdp),
            ("peak_dense", "TFLOP/s", peak),
            ("log10_alpha_low", "log10(1/s)", low),
            ("log10_alpha_high", "log10(1/s)", high),
        ):
            add("table_1", device, quantity, unit, text, None)
    for table, unit, names, text in (
        ("table_2", "tCO2e", ("actual", "llmcarbon", "svr", "dtr"), TABLE_2),
        ("table_3", "kgCO2e", ("actual", "llmcarbon"), TABLE_3),
    ):
        for line in _words(text):
            model, *figures, published, again = line.split()
            for quantity, figure in zip(names, figures, strict=True):
                add(table, model, quantity, unit, figure, None)
            add(table, model, "opencarboneval", unit, published, float(again))
    return found


def _timeline(seed: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for i, model in enumerate([*_words(MODELS), HOSTILE]):
        year = 2019 + int(5.9 * seed.beta(2.2, 1.4))
        tonnes = 10 ** seed.normal(0.3 + 0.45 * (year - 2019), 0.9)
        known = i != 7
        rows.append(
            {
                "model": model,
                "task": TASKS[i % len(TASKS)],
                "device": "NVIDIA A100 SXM4 80GB",
                "source_id": SOURCE,
                "publication_date": date(year, int(seed.integers(1, 13)), int(seed.integers(1, 28))),
                "training_flop": tonnes * 1e21,
                "carbon_intensity_gco2e_per_kwh": 369.0,
                **(_interval(tonnes, 1.3) if known else {}),
                "published_kgco2e": 1e3 * tonnes * 1.01,
                "remark": None if known else "The device is not in the catalog.",
            }
        )
    return rows


def _runs(seed: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for group, (mean, sd, count) in GROUPS.items():
        for i in range(count):
            log10_alpha, flop = float(seed.normal(mean, sd)), float(10 ** seed.uniform(19, 25))
            used = seed.uniform() > 0.3
            if group == "A100" and i == 0:
                log10_alpha, used = 43_000.0, False
            rows.append(
                {
                    "run": f"{group.lower().replace(' ', '-')}-{i:02}",
                    "model": f"Model {i}",
                    "source_id": SOURCE,
                    "device": f"NVIDIA {group}",
                    "device_group": group,
                    "training_flop": flop,
                    "used": used,
                    "log10_alpha": log10_alpha,
                    "tflop_per_s": max(2.303 * (log10_alpha + 8) - 1, 0.5),
                    "device_hours": flop / 1e12 / 100 / 3600,
                }
            )
    return rows


def _distribution(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for group in GROUPS:
        values = np.array(
            [run["log10_alpha"] for run in runs if run["device_group"] == group and run["used"]]
        )
        if values.size < 2:
            continue
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        low, high = PUBLISHED_ALPHA.get(group, (None, None))
        rows.append(
            {
                "device_group": group,
                "training_runs": int(values.size),
                "log10_alpha": mean,
                "log10_alpha_sd": sd,
                "log10_alpha_low": mean - 0.6 * sd,
                "log10_alpha_high": mean + 0.6 * sd,
                "published_log10_alpha_low": low,
                "published_log10_alpha_high": high,
            }
        )
    return rows


def _beside_llmcarbon(runs: list[dict[str, Any]], seed: np.random.Generator) -> list[dict[str, Any]]:
    names = ("run", "model", "device", "device_group", "training_flop", "log10_alpha", "tflop_per_s")
    rows = []
    for run in runs:
        known = seed.uniform() > 0.35
        rows.append(
            {name: run[name] for name in names}
            | {
                "llmcarbon_tflop_per_s": float(seed.uniform(20, 300)) if known else None,
                "reason": None if known else "LLMCarbon has no peak for this device.",
            }
        )
    return [row for row in rows if row["log10_alpha"] < 1000]


def _scores() -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "domain": domain,
            "benchmark": benchmark,
            "score_pct": score,
            "source_id": SOURCE,
            "score_source_id": SOURCE,
            "device": "NVIDIA A100 SXM4 80GB",
            "training_flop": 1e21 * tonnes,
            **{"carbon_intensity_gco2e_per_kwh": 369.0} | _interval(tonnes, 1.4),
        }
        for domain, benchmark, models in (
            ("language", "mmlu", LANGUAGE),
            ("vision", "imagenet_1k_top_1", VISION),
        )
        for model, (score, tonnes) in models.items()
    ]


@cache
def sample_tables() -> dict[str, pa.Table]:
    """Tables of ``REPRODUCED`` by name."""
    seed = np.random.default_rng(20241)
    runs = _runs(seed)
    errors = [
        {
            "model": model,
            "method": method,
            "test_runs": kind,
            "device": "NVIDIA A100 SXM4 80GB",
            "training_flop": 3.12e23,
            "operational_kgco2e": actual * (1 + error / 100),
            "actual_kgco2e": actual,
            "error_pct": error,
        }
        for i, (model, actual) in enumerate(ACTUAL.items())
        for method, scale in (("calibrated", 0.7), ("paper", 1.0))
        for kind, error in (("fitted", scale * (7 + 3 * i)), ("left_out", -scale * (12 + 6 * i)))
    ]
    computed = [
        {
            "model": model,
            "architecture": "dense transformer",
            "counted_from": "130e9 parameters, 400e9 tokens",
            "published_flop": 3.12e23,
            "training_flop": 3.12e23 * ratio,
            "ratio": ratio,
            "source_id": SOURCE,
            "reason": "6 N D without attention." if abs(ratio - 1) > 0.02 else None,
        }
        for model, ratio in (("GLM", 1.001), ("BLOOM", 0.93), ("ViT-L/16", 2.95))
    ]
    methods = [
        {
            "method": name,
            "title": title,
            "needs": "training_flop, device",
            "source_id": SOURCE,
            "formula": "T = C / (u / (1 - exp(-u)) - 1), u = ln(1 + alpha T)",
            "limits": "Knows nothing of the network of the cluster.",
        }
        for name, title in METHODS.items()
    ]
    timeline = _timeline(seed)
    rows = {
        "paper_cell": _cells(),
        "test_run_error": errors,
        "training_compute": computed,
        "dim_method": methods,
        "figure_1": timeline,
        "figure_4": runs,
        "figure_5": _distribution(runs),
        "figure_6": _beside_llmcarbon(runs, seed),
        "figure_7": _scores(),
    }
    return {name: _table(REPRODUCED[name], rows[name]) for name in REPRODUCED}


METHODS = {
    "calibrated": "opencarbon, calibrated",
    "paper": "OpenCarbonEval, as published",
    "mlco2": "ML CO2 Impact",
    "llmcarbon": "LLMCarbon, efficiency polynomials",
    "constant-utilisation": "A constant 33 % of the peak",
    "codecarbon": "CodeCarbon",
    "green-algorithms": "Green Algorithms",
}


def sample_sources() -> pa.Table:
    """Sources, one of them with an address that must not become a link."""
    attribution = "Epoch AI, 'Data on AI Models', CC BY 4.0"
    rows = [
        {
            "source_id": SOURCE,
            "title": "Data on AI Models",
            "url": "https://epoch.ai/data/ai-models",
            "licence": "CC BY 4.0",
            "attribution": attribution,
        },
        {
            "source_id": "electricity-maps",
            "title": "Electricity Maps",
            "url": "https://www.electricitymaps.com",
            "licence": "ODbL 1.0",
            "attribution": "Contains information from Electricity Maps, ODbL 1.0",
        },
        {"source_id": "odd", "title": "<b>Odd</b>", "url": "javascript:alert(1)", "licence": "facts, cited"},
        {"source_id": "unused", "title": "A source that no table names", "licence": "facts, cited"},
    ]
    return _table(PUBLISHED["dim_source"], rows)


def sample_estimates(spread: float = 40.0) -> pa.Table:
    """One job through seven methods that differ by a factor; two of them cannot say."""
    rows: list[dict[str, Any]] = []
    for i, method in enumerate(METHODS):
        able = i < 5
        kgco2e = 2.4e5 * spread ** (i / 4)
        rows.append(
            {
                "job_id": "glm",
                "method": method,
                "method_status": "estimated" if able else "not_applicable",
                "device": "NVIDIA A100 SXM4 40GB",
                "method_source_id": SOURCE,
                "training_flop": 3.12e23,
                **(
                    {}
                    if able
                    else {
                        "reason": "Needs the hours of the run, which the job does not state, and a country."
                    }
                ),
                **(_interval(kgco2e / 1e3, 1.0 + 0.15 * i) if able else {}),
                **(_hours_and_energy(kgco2e, is_predicted=i != 2) if able else {}),
            }
        )
    return _table(METHOD_ESTIMATE, rows)


def _hours_and_energy(kgco2e: float, *, is_predicted: bool) -> dict[str, Any]:
    """Hours, energy and emissions in all that go with operational emissions."""
    return {
        "hours_source": "predicted" if is_predicted else "stated",
        "device_hours": 4.0 * kgco2e,
        "energy_kwh": 1.6 * kgco2e,
        "facility_energy_kwh": 2.0 * kgco2e,
        "embodied_kgco2e": 0.1 * kgco2e,
        "total_kgco2e": 1.1 * kgco2e,
    }


def sample_embodied() -> pa.Table:
    """What ``EMBODIED`` says, as a table."""
    methods = {"life cycle assessment": "lca"}
    rows = [
        {
            "device": one.device,
            "embodied_method": methods.get(one.kind, one.kind.replace(" ", "_")),
            "device_embodied_kgco2e": one.kgco2e,
            "embodied_boundary": "card",
            "source_id": f"{SOURCE}-{i:02}",
        }
        for i, one in enumerate(EMBODIED)
    ]
    return _table(PUBLISHED["dim_device_embodied"], rows)
