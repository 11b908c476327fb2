"""The shipped training compute of published models."""

import re
from collections import Counter
from datetime import date
from typing import Any, Final

import pytest

from opencarbon.catalog import load_catalog
from opencarbon.catalog.files import packaged, packaged_sources, read_csv

ROWS: Final = load_catalog().training_compute.to_pylist()
SOURCES: Final = read_csv(packaged("sources-compute.csv")).to_pylist()
TEXTS: Final = {"model", "architecture", "stages", "published_by", "source_id", "reason", "note"}
EVERY_ROW: Final = ("model", "architecture", "published_flop", "published_by", "source_id", "note")

# Architecture -> figures that a row states: exactly these, and those behind the bar where they are known.
IMAGE: Final = "image_size patch_size channels samples"
BLOCKS: Final = "layers width mlp_width class_tokens"
FIGURES: Final = {
    "decoder": "parameters training_tokens | layers width context_tokens epochs",
    "encoder": "parameters training_tokens | layers width context_tokens epochs",
    "mixture of experts": "training_tokens | parameters active_parameters layers width context_tokens "
    "shared_parameters expert_parameters experts experts_per_token",
    "encoder-decoder": "encoder_parameters encoder_tokens decoder_parameters decoder_tokens |",
    "convolutional network": "forward_flop_per_sample samples epochs |",
    "latent diffusion": "forward_flop_per_sample frozen_flop_per_sample samples | epochs",
    "diffusion transformer": f"{IMAGE} {BLOCKS} | epochs",
    "vision transformer": f"{IMAGE} {BLOCKS} | epochs",
    "swin transformer": f"{IMAGE} width window stages | epochs",
    "two towers": f"{IMAGE} {BLOCKS} text_tokens text_layers text_width text_mlp_width | epochs",
    "evoformer": "residues msa_rows extra_rows samples templates forward_only_passes "
    "tuning_residues tuning_msa_rows tuning_extra_rows tuning_samples |",
}

# Model -> training FLOP that its source prints.
PRINTED_FLOP: Final = {
    "GPT-3 175B": 3.14e23,
    "PaLM 540B": 2.56e24,
    "Gopher 280B": 6.31e23,
    "Chinchilla 70B": 5.76e23,
    "OPT-175B": 4.30e23,
    "Llama 3.1 405B": 3.8e25,
    "T5-11B": 4.05e22,
    "Switch-C 1.6T": 8.22e22,
    "DeepSeek-V3": 250e9 * 14.8e12,
    "BLOOM 176B": 387e21,
    "GLM-130B": 312e21,
    "Swin-L": 0.40e21,
    "ViT-L/16": 1567e18,
    "ViT-H/14": 4262e18,
    "ResNet-152": 11_000e15,
    "xTrimoPGLM 100B": 6.2e23,
    "AlphaFold 2": 2.99e21,
}

each_row = pytest.mark.parametrize("row", ROWS, ids=[row["model"] for row in ROWS])


def figures(row: dict[str, Any]) -> set[str]:
    """Columns that hold a figure behind the count."""
    return (
        {name for name, value in row.items() if value is not None} - (TEXTS - {"stages"}) - {"published_flop"}
    )


def test_at_least_28_models_of_every_architecture_are_there_once() -> None:
    counts = Counter(row["model"] for row in ROWS)

    assert len(ROWS) >= 28
    assert [name for name, count in counts.items() if count > 1] == []
    assert {row["architecture"] for row in ROWS} == set(FIGURES)
    assert [row["model"] for row in ROWS] == sorted(counts)


@each_row
def test_a_row_says_what_was_published_by_whom(row: dict[str, Any]) -> None:
    assert [name for name in EVERY_ROW if row[name] is None] == []
    assert 1e17 < row["published_flop"] < 1e26
    assert row["note"].endswith(".")
    assert row["reason"] is None or row["reason"].endswith(".")


@each_row
def test_a_row_states_the_figures_of_its_architecture_and_no_others(row: dict[str, Any]) -> None:
    needed, optional = (set(part.split()) for part in FIGURES[row["architecture"]].split("|"))

    assert needed <= figures(row) <= needed | optional


@each_row
def test_every_figure_is_a_number_above_0(row: dict[str, Any]) -> None:
    for name in figures(row) - {"class_tokens", "stages"}:
        assert float(row[name]) > 0, name


@pytest.mark.parametrize(("model", "flop"), PRINTED_FLOP.items())
def test_a_published_total_is_the_one_printed(model: str, flop: float) -> None:
    assert flop == next(row["published_flop"] for row in ROWS if row["model"] == model)


def test_a_published_figure_that_is_our_own_count_says_so() -> None:
    said = re.compile(r"published figure is 6 x parameters x (450e9 )?tokens itself")
    circular = {row["model"] for row in ROWS if said.search(row["note"])}

    assert {"BLOOM 176B", "GLM-130B", "Galactica 120B"} == circular


def test_every_source_is_known_and_every_source_of_this_file_is_named() -> None:
    known = packaged_sources()["source_id"].to_pylist()
    named = {row["source_id"] for row in ROWS}

    assert named - set(known) == set()
    assert {source["source_id"] for source in SOURCES} - named == set()
    assert [source for source, count in Counter(known).items() if count > 1] == []


@pytest.mark.parametrize("source", SOURCES, ids=[source["source_id"] for source in SOURCES])
def test_a_source_has_title_address_licence_and_date(source: dict[str, Any]) -> None:
    assert source["title"]
    assert source["url"].startswith("https://")
    assert source["licence"] in {"facts, cited", "CC BY 4.0"}
    assert source["attribution"]
    assert source["retrieved_date"] == date(2026, 11, 25)
