"""Forward cost of the Evoformer of AlphaFold 2, counted from its algorithms.

Letters are those of the paper: N residues, s rows of aligned sequences, c_m and c_z the widths of the MSA and of
the pair representation. Algorithms are numbered as in its supplementary methods.

References
----------
.. [1] Jumper et al. (2021), "Highly accurate protein structure prediction with AlphaFold",
   https://doi.org/10.1038/s41586-021-03819-2, supplementary algorithms 6 to 19.
.. [2] Its code, https://github.com/google-deepmind/alphafold, alphafold/model/config.py for widths, heads and
   blocks, alphafold/model/modules.py for the products of each algorithm.
"""

from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d
from opencarbon.physics._blocks import FLOP_PER_MULTIPLY_ADD

EVOFORMER_BLOCKS = 48.0
MSA_WIDTH = 256.0
PAIR_WIDTH = 128.0
"""Blocks of the Evoformer, c_m and c_z [2]_."""

EXTRA_BLOCKS = 4.0
EXTRA_MSA_WIDTH = 64.0
"""Blocks of the stack for extra sequences, and c_e, its c_m (algorithm 18) [2]_."""

TEMPLATE_BLOCKS = 2.0
TEMPLATE_WIDTH = 64.0
TEMPLATE_TRANSITION_RATIO = 2.0
"""Blocks of the stack for templates, c_t, its c_z, and how much wider its transition is (algorithm 16) [2]_."""

MSA_HEADS = 8.0
PAIR_HEADS = 4.0
OUTER_WIDTH = 32.0
TRANSITION_RATIO = 4.0
"""Heads of the MSA and of the triangles, width of the outer product, how much wider a transition is [2]_."""


def evoformer_block_flop(
    residues: ArrayLike,
    msa_rows: ArrayLike,
    msa_width: ArrayLike = MSA_WIDTH,
    pair_width: ArrayLike = PAIR_WIDTH,
    *,
    global_columns: bool = False,
) -> FloatArray:
    """Forward cost of one block of the Evoformer [FLOP] (algorithm 6) [1]_, [2]_.

    Heads share the width of what they attend to, as in AlphaFold 2. The gate of an attention is a projection.

    Parameters
    ----------
    residues, msa_rows : array_like
        Residues N of the crop and rows s of the MSA, those of templates included. Broadcast.
    msa_width, pair_width : array_like
        c_m, or c_e for extra sequences, and c_z.
    global_columns : bool
        Attention to columns with one query for all rows (algorithm 19), as in the stack for extra sequences.

    Returns
    -------
    ndarray of float64
        [FLOP], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    n, s = checked("residues", residues), checked("msa_rows", msa_rows)
    m, z = checked("msa_width", msa_width), checked("pair_width", pair_width)
    rows = 5.0 * s * n * m**2 + n**2 * z * MSA_HEADS + 2.0 * s * n**2 * m  # algorithm 7
    columns = _global_columns(n, s, m) if global_columns else 5.0 * s * n * m**2 + 2.0 * s**2 * n * m
    transition = 2.0 * TRANSITION_RATIO * s * n * m**2  # algorithm 9
    outer = 2.0 * s * n * m * OUTER_WIDTH + n**2 * OUTER_WIDTH**2 * (s + z)  # algorithm 10
    updates = rows + columns + transition + outer + _pair_updates(n, z, TRANSITION_RATIO)
    return numpy_scalar_if_0d(as_float64(FLOP_PER_MULTIPLY_ADD * updates))


def evoformer_flop(
    residues: ArrayLike, msa_rows: ArrayLike, extra_rows: ArrayLike, templates: ArrayLike
) -> FloatArray:
    """Forward cost of one pass through the trunk of AlphaFold 2 [FLOP] [1]_, [2]_.

    48 blocks of the Evoformer, the 4 blocks that extra sequences pass first and, for each template, the 2 that
    its pairs pass. The structure module, embeddings and heads, about 0.2 % at 256 residues, are left
    out. Recycling takes several passes.

    Parameters
    ----------
    residues, msa_rows : array_like
        Residues of the crop and rows of the MSA, those of templates included. Broadcast.
    extra_rows, templates : array_like
        Extra sequences, and templates that the pairs attend to.

    Returns
    -------
    ndarray of float64
        [FLOP per pass], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    n = checked("residues", residues)
    extra = evoformer_block_flop(n, checked("extra_rows", extra_rows), EXTRA_MSA_WIDTH, global_columns=True)
    template = FLOP_PER_MULTIPLY_ADD * _pair_updates(n, as_float64(TEMPLATE_WIDTH), TEMPLATE_TRANSITION_RATIO)
    return numpy_scalar_if_0d(
        as_float64(
            EVOFORMER_BLOCKS * evoformer_block_flop(n, msa_rows)
            + EXTRA_BLOCKS * extra
            + TEMPLATE_BLOCKS * checked("templates", templates) * template
        )
    )


def _global_columns(n: FloatArray, s: FloatArray, m: FloatArray) -> FloatArray:
    """Multiply-adds of attention to columns with a query per column, keys and values of one head (algorithm 19)."""
    return as_float64(n * m**2 + s * n * (2.0 * m**2 / MSA_HEADS + 2.0 * m + 2.0 * m**2))


def _pair_updates(n: FloatArray, z: FloatArray, transition_ratio: float) -> FloatArray:
    """Multiply-adds of the updates of the pair representation (algorithms 11 to 16)."""
    multiplication = 6.0 * n**2 * z**2 + n**3 * z  # algorithms 11 and 12
    attention = n**2 * (5.0 * z**2 + z * PAIR_HEADS) + 2.0 * n**3 * z  # algorithms 13 and 14
    transition = 2.0 * transition_ratio * n**2 * z**2  # algorithm 15
    return as_float64(2.0 * multiplication + 2.0 * attention + transition)
