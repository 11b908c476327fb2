"""Forward cost of stacks of transformer blocks on sequences and images, counted from their shapes.

References
----------
.. [1] Kaplan et al. (2020), "Scaling Laws for Neural Language Models", https://arxiv.org/abs/2001.08361,
   Table 1.
.. [2] Dosovitskiy et al. (2020), "An Image is Worth 16x16 Words", https://arxiv.org/abs/2010.11929,
   section 3.1.
.. [3] Liu et al. (2021), "Swin Transformer", https://arxiv.org/abs/2103.14030, sections 3.1 to 3.3.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d

FLOP_PER_MULTIPLY_ADD = 2.0
"""One multiply, one add."""

SWIN_MLP_RATIO = 4.0
"""Width of the MLP over that of its block, in all published Swin models [3]_."""


def transformer_flop(
    tokens: ArrayLike,
    layers: ArrayLike,
    width: ArrayLike,
    mlp_width: ArrayLike,
    attended_tokens: ArrayLike | None = None,
) -> FloatArray:
    """Forward cost of the blocks on a sequence, ``L n (8 d^2 + 4 d m + 4 a d)`` [FLOP].

    Four projections of d x d and an MLP of two layers, d to m to d, on each token, which attends to a tokens.
    With m = 4 d that is ``24 L n d^2 + 4 L n^2 d`` ([1]_, Table 1, with attention to the whole sequence).

    Parameters
    ----------
    tokens, layers, width, mlp_width : array_like
        Tokens n, layers L, width d and width m of the MLP. Broadcast.
    attended_tokens : array_like, optional
        Tokens a that each token attends to; all n where absent.

    Returns
    -------
    ndarray of float64
        [FLOP], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    sequence, wide = checked("tokens", tokens), checked("width", width)
    attended = sequence if attended_tokens is None else checked("attended_tokens", attended_tokens)
    per_token = wide * (4.0 * wide + 2.0 * checked("mlp_width", mlp_width) + 2.0 * attended)
    return numpy_scalar_if_0d(
        as_float64(FLOP_PER_MULTIPLY_ADD * checked("layers", layers) * sequence * per_token)
    )


def vit_flop(
    image_size: ArrayLike,
    patch_size: ArrayLike,
    layers: ArrayLike,
    width: ArrayLike,
    mlp_width: ArrayLike,
    *,
    channels: ArrayLike = 3.0,
    class_tokens: ArrayLike = 1.0,
) -> FloatArray:
    """Forward cost of a vision transformer on one square image [FLOP] [2]_; its head is left out.

    ``2 p n d`` for n patches of p values each, then the blocks on n + 1 tokens (`transformer_flop`).

    Parameters
    ----------
    image_size, patch_size : array_like
        Sides of the image and of a patch [pixels]; pixels that fill no patch are dropped.
    layers, width, mlp_width : array_like
        Of the blocks.
    channels, class_tokens : array_like
        Values per pixel, and tokens beside the patches (0 where patches are averaged).

    Returns
    -------
    ndarray of float64
        [FLOP per image], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or `patch_size` 0.
    """
    side = checked("patch_size", patch_size, above_zero=True)
    patches = np.square(np.floor(checked("image_size", image_size) / side))
    values = np.square(side) * checked("channels", channels)
    embedding = FLOP_PER_MULTIPLY_ADD * patches * values * checked("width", width)
    blocks = transformer_flop(patches + checked("class_tokens", class_tokens), layers, width, mlp_width)
    return numpy_scalar_if_0d(as_float64(embedding + blocks))


def swin_flop(
    image_size: ArrayLike,
    patch_size: ArrayLike,
    window: ArrayLike,
    width: ArrayLike,
    stages: Sequence[ArrayLike],
    *,
    channels: ArrayLike = 3.0,
) -> FloatArray:
    """Forward cost of a Swin transformer on one square image [FLOP] [3]_; its head is left out.

    Blocks attend within windows; between stages four neighbours merge into one token of twice the width,
    ``2 x 4 d x 2 d`` each; an odd grid is padded by a row and a column.

    Parameters
    ----------
    image_size, patch_size : array_like
        Sides of the image and of a patch [pixels].
    window : array_like
        Side of a window [tokens]; the whole grid where that is smaller.
    width : array_like
        Width of the first stage; it doubles from stage to stage.
    stages : sequence of array_like
        Blocks of each stage.
    channels : array_like
        Values per pixel.

    Returns
    -------
    ndarray of float64
        [FLOP per image], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite, or `patch_size` or `window` 0.
    """
    patch, wide = checked("patch_size", patch_size, above_zero=True), checked("width", width)
    side = np.floor(checked("image_size", image_size) / patch)
    limit = checked("window", window, above_zero=True)
    values = np.square(patch) * checked("channels", channels)
    total = FLOP_PER_MULTIPLY_ADD * np.square(side) * values * wide
    for number, blocks in enumerate(stages):
        if number:
            side = np.ceil(side / 2.0)
            total = total + FLOP_PER_MULTIPLY_ADD * np.square(side) * 8.0 * np.square(wide)
            wide = 2.0 * wide
        attended = np.square(np.minimum(limit, side))
        total = total + transformer_flop(np.square(side), blocks, wide, SWIN_MLP_RATIO * wide, attended)
    return numpy_scalar_if_0d(as_float64(total))
