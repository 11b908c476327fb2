"""Training compute as counted beside the published totals."""

from typing import Any, Final

import pyarrow as pa
import pytest

from opencarbon.catalog import load_catalog
from opencarbon.errors import ConfigError, ContractError
from opencarbon.estimation.training_compute import training_compute_table
from opencarbon.tables.reproduction import TRAINING_COMPUTE

SHIPPED: Final = load_catalog().training_compute
TABLE: Final = training_compute_table(SHIPPED)
ROWS: Final = TABLE.to_pylist()

# Model -> training FLOP worked out by hand from the figures that its authors print.
BY_HAND: Final = {
    "GPT-3 175B": 6 * 174.6e9 * 300e9,
    "PaLM 540B": (6 * 540.35e9 + 12 * 118 * 48 * 256 * 2048) * 780e9,
    "GLaM 64B/64E": 6 * 96.6e9 * 600e9,
    "DeepSeek-V3": (6 * 37e9 + 12 * 61 * 128 * 160 * 4096) * 14.8e12,
    "T5-11B": 6 * (4.832e9 * 1.0486e12 + 6.442e9 * 0.23347e12),
    "ResNet-152": 3 * 2 * 11.3e9 * 1.28e6 * 120,
    "ViT-L/16": 3 * 2 * 61.55e9 * 303e6 * 14,
    "Swin-L": 3 * 2 * 34.5e9 * 14.2e6 * 90,
    "CLIP ViT-L/14@336px": 3 * (162.03e9 + 13.30e9) * 400e6 * 32,
    "Stable Diffusion v1": (3 * 2 * 444.4e9 + 2 * (6.782e9 + 566.371e9)) * 904e3 * 2048,
    "DiT-XL/2": 3 * 2 * 118.4e9 * 7e6 * 256,
    "AlphaFold 2": (3 + (0 + 1 + 2 + 3) / 4) * (11.78e12 * 10e6 + 61.36e12 * 1.5e6),
}

COUNTED_FROM: Final = {
    "GPT-3 175B": "6 x 174.6e9 parameters x 300e9 tokens",
    "GLaM 64B/64E": "6 x (62.24e9 shared + 1.0995e12 in experts x 2 of 64) parameters x 600e9 tokens",
    "Hunyuan-Large": "6 x 52e9 active parameters x 7e12 tokens",
    "Galactica 120B": "6 x 120e9 parameters x 106e9 tokens x 4.25 epochs",
    "ResNet-152": "3 x 22.6e9 FLOP forward x 1.28e6 samples x 120 epochs",
    "Stable Diffusion v1": "(3 x 888.87e9 FLOP forward + 1.1463e12 FLOP frozen) x 1.8514e9 samples",
    "Swin-L": "3 x 68.948e9 FLOP forward (224 px, patches of 4, windows of 7, 2-2-18-2 blocks from 192 wide) "
    "x 14.2e6 samples x 90 epochs",
    "AlphaFold 2": "(3 + 1.5) x 11.777e12 FLOP forward (256 residues, 128 rows, 1024 extra rows, 4 templates) x "
    "10e6 samples + (3 + 1.5) x 61.364e12 FLOP forward (384 residues, 512 rows, 5120 extra rows, 4 templates) x "
    "1.5e6 samples",
    "PaLM 540B": "6 x 540.35e9 parameters x 780e9 tokens + 12 x 118 layers x 12288 wide x 2048 tokens of "
    "context x 780e9 tokens",
}


def one(model: str, table: pa.Table = TABLE) -> dict[str, Any]:
    return next(row for row in table.to_pylist() if row["model"] == model)


def changed(model: str, **changes: Any) -> pa.Table:
    """The shipped row of a model with other cells."""
    rows = [row | changes for row in SHIPPED.to_pylist() if row["model"] == model]
    return pa.Table.from_pylist(rows, schema=SHIPPED.schema)


def test_the_table_keeps_its_contract_with_a_row_per_model_in_order() -> None:
    assert TABLE.schema == TRAINING_COMPUTE.schema()
    assert len(ROWS) >= 25
    assert [row["model"] for row in ROWS] == sorted(map(str, SHIPPED["model"].to_pylist()))


@pytest.mark.parametrize("row", ROWS, ids=[row["model"] for row in ROWS])
def test_a_count_is_within_10_percent_of_the_published_total_or_says_why_not(row: dict[str, Any]) -> None:
    assert row["ratio"] == pytest.approx(row["training_flop"] / row["published_flop"], rel=1e-15)
    assert (row["reason"] is not None) == (abs(row["ratio"] - 1) > 0.1)


def test_most_counts_are_within_10_percent() -> None:
    close = [row["model"] for row in ROWS if abs(row["ratio"] - 1) <= 0.1]

    assert len(close) >= 25


@pytest.mark.parametrize(("model", "flop"), BY_HAND.items())
def test_a_model_comes_to_the_flop_worked_out_by_hand(model: str, flop: float) -> None:
    assert flop == pytest.approx(one(model)["training_flop"], rel=0.002)


@pytest.mark.parametrize(("model", "text"), COUNTED_FROM.items())
def test_a_reader_can_count_again_from_the_text(model: str, text: str) -> None:
    assert text == one(model)["counted_from"]


def test_rows_may_come_in_any_order() -> None:
    backwards = SHIPPED.take(list(range(SHIPPED.num_rows))[::-1])

    assert training_compute_table(backwards).equals(TABLE)


def test_an_architecture_that_nobody_counts_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="GPT-3 175B: architecture 'oracle' cannot be counted; it is one of"
    ):
        training_compute_table(changed("GPT-3 175B", architecture="oracle"))


def test_figures_that_do_not_make_the_count_are_refused() -> None:
    with pytest.raises(ConfigError, match="training compute of GPT-3 175B: give parameters"):
        training_compute_table(changed("GPT-3 175B", training_tokens=None))
    with pytest.raises(ConfigError, match="training compute of ViT-L/16: a figure of its forward pass"):
        training_compute_table(changed("ViT-L/16", width=None))
    with pytest.raises(ConfigError, match="training compute of Swin-L: give stages"):
        training_compute_table(changed("Swin-L", stages=None))
    with pytest.raises(ConfigError, match=r"training compute of ViT-L/16: could not convert .*'wide'"):
        training_compute_table(changed("ViT-L/16", width="wide"))


@pytest.mark.parametrize(
    "missing", ["residues", "extra_rows", "samples", "templates", "forward_only_passes", "tuning_samples"]
)
def test_alphafold_is_counted_from_both_stages_or_not_at_all(missing: str) -> None:
    stage = "tuning_" if missing.startswith("tuning_") else ""
    with pytest.raises(
        ConfigError, match=f"training compute of AlphaFold 2: give {stage}residues, .*forward_only_passes"
    ):
        training_compute_table(changed("AlphaFold 2", **{missing: None}))


def test_a_model_listed_twice_breaks_the_contract() -> None:
    with pytest.raises(ContractError, match="GPT-3 175B"):
        training_compute_table(pa.concat_tables([SHIPPED, changed("GPT-3 175B")]))
