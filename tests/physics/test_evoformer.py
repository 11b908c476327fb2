"""Forward cost of the Evoformer against the products of its algorithms, written out one by one."""

from collections.abc import Mapping
from math import prod
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencarbon.physics.architectures import evoformer_block_flop, evoformer_flop

# Each word is a product of matrices: its letters are the axes it runs over, one multiply-add for every point.
# i, j, k residues; s, r rows; m, n width of the MSA; h heads of width c; z, y width of the pairs;
# t heads of width d; o, q outer product; p triangle multiplication; w, v widths of the transitions.
ROWS: Final = (
    "simhc simhc simhc simhc ijzh sijhc sijhc sihcn"  # algorithm 7: q k v gate, bias, scores, values, out
)
COLUMNS: Final = "simhc simhc simhc simhc sirhc sirhc sihcn"  # algorithm 8
GLOBAL_COLUMNS: Final = "imhc simc simc sihc sihc simhc sihcn"  # algorithm 19: q, k v of one head, gate, out
MSA_TRANSITION: Final = "simw siwn"  # algorithm 9
OUTER: Final = "simo simq sijoq ijoqz"  # algorithm 10
MULTIPLICATION: Final = "ijzp ijzp ijzp ijzp ijkp ijpy ijzy"  # algorithms 11, 12
TRIANGLE: Final = "ijztd ijztd ijztd ijztd ijzt ijktd ijktd ijtdy"  # algorithms 13, 14
PAIR_TRANSITION: Final = "ijzv ijvy"  # algorithm 15
PAIRS: Final = f"{MULTIPLICATION} {MULTIPLICATION} {TRIANGLE} {TRIANGLE} {PAIR_TRANSITION}"
BLOCK: Final = f"{ROWS} {COLUMNS} {MSA_TRANSITION} {OUTER} {PAIRS}"
EXTRA_BLOCK: Final = f"{ROWS} {GLOBAL_COLUMNS} {MSA_TRANSITION} {OUTER} {PAIRS}"

# Widths and heads of model/config.py of AlphaFold; of its stack for extra sequences; of that for templates.
MSA: Final = {"m": 256, "n": 256, "h": 8, "c": 32, "w": 1024}
PAIR: Final = {"z": 128, "y": 128, "t": 4, "d": 32, "p": 128, "v": 512}
MAIN: Final = {**MSA, **PAIR, "o": 32, "q": 32}
EXTRA: Final = MAIN | {"m": 64, "n": 64, "c": 8, "w": 256}
TEMPLATE: Final = {"z": 64, "y": 64, "t": 4, "d": 16, "p": 64, "v": 128}

few = st.integers(0, 600)


def flop(words: str, axes: Mapping[str, int], *, residues: int, rows: int = 0) -> int:
    """Two FLOP for every point of every product."""
    sizes = {**axes, **dict.fromkeys("ijk", residues), **dict.fromkeys("sr", rows)}
    return 2 * sum(prod(sizes[axis] for axis in word) for word in words.split())


def trunk(residues: int, rows: int, extra_rows: int, templates: int) -> int:
    """48 blocks, 4 for extra sequences, 2 for each template."""
    return (
        48 * flop(BLOCK, MAIN, residues=residues, rows=rows)
        + 4 * flop(EXTRA_BLOCK, EXTRA, residues=residues, rows=extra_rows)
        + 2 * templates * flop(PAIRS, TEMPLATE, residues=residues)
    )


@given(residues=few, rows=few)
def test_a_block_costs_the_products_of_its_algorithms(residues: int, rows: int) -> None:
    assert flop(BLOCK, MAIN, residues=residues, rows=rows) == evoformer_block_flop(residues, rows)


@given(residues=few, rows=few)
def test_a_block_for_extra_sequences_is_narrow_and_asks_once_per_column(residues: int, rows: int) -> None:
    assert flop(EXTRA_BLOCK, EXTRA, residues=residues, rows=rows) == evoformer_block_flop(
        residues, rows, 64, global_columns=True
    )


@given(residues=few, rows=few, extra_rows=st.integers(0, 6000), templates=st.integers(0, 4))
def test_the_trunk_of_alphafold_2_is_48_blocks_4_for_extra_sequences_and_2_per_template(
    residues: int, rows: int, extra_rows: int, templates: int
) -> None:
    expected = trunk(residues, rows, extra_rows, templates)

    assert expected == pytest.approx(
        float(evoformer_flop(residues, rows, extra_rows, templates)), rel=1e-15, abs=0
    )


def test_a_block_holds_1_8_million_weights() -> None:
    """One residue and one row meet every weight once, and each weight is a multiply-add."""
    msa = (5 + 5 + 8) * 256**2 + 8 * 128  # algorithms 7 to 9: projections, gates, transition, bias
    outer = 2 * 256 * 32 + 32**2 * 128  # algorithm 10
    pairs = 2 * 6 * 128**2 + 2 * (5 * 128**2 + 4 * 128) + 8 * 128**2  # algorithms 11 to 15
    parameters = msa + outer + pairs
    without_weights = 2 * 256 + 2 * 256 + 32**2 + 2 * 128 + 2 * 2 * 128

    assert parameters == pytest.approx(1.82e6, rel=5e-3)
    assert 2 * (parameters + without_weights) == evoformer_block_flop(1, 1)


def test_larger_crops_of_fine_tuning_cost_five_times_as_much_a_pass() -> None:
    # 256 residues, 128 rows, 1,024 extra; 384 residues, 512 rows, 5,120 extra: supplementary Table 4
    initial, tuning = evoformer_flop([256, 384], [128, 512], [1024, 5120], 4)

    assert 1.178e13 == pytest.approx(initial, rel=1e-3)
    assert 6.136e13 == pytest.approx(tuning, rel=1e-3)


def test_arguments_broadcast_and_what_is_absent_stays_absent() -> None:
    assert (2, 3) == evoformer_flop([[256], [384]], [128, 256, 512], 1024, 4).shape
    assert isinstance(evoformer_flop(256, 128, 1024, 4), np.float64)
    assert isinstance(evoformer_block_flop(256, 128), np.float64)
    assert np.isnan(evoformer_flop(256, 128, np.nan, 4))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1, 128, 1024, 4), "residues"),
        ((256, -1, 1024, 4), "msa_rows"),
        ((256, 128, -1, 4), "extra_rows"),
        ((256, 128, 1024, -1), "templates"),
    ],
)
def test_a_crop_that_cannot_be_is_refused(arguments: tuple[float, float, float, float], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0 and finite, got -1.0"):
        evoformer_flop(*arguments)


def test_a_width_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="msa_width must be at least 0 and finite, got inf"):
        evoformer_block_flop(256, 128, np.inf)
    with pytest.raises(ValueError, match="pair_width must be at least 0 and finite, got inf"):
        evoformer_block_flop(256, 128, 256, np.inf)
