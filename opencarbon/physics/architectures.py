"""Forward cost of neural networks, counted from their shapes.

A multiply-add is 2 FLOP. Matrix products alone are counted: normalisation, activation and softmax are below
1 % of them. Literature on images often prints multiply-adds (MACs) and calls them FLOPs: half of the figures here.

References
----------
.. [1] Kaplan et al. (2020), "Scaling Laws for Neural Language Models", https://arxiv.org/abs/2001.08361,
   section 2.1 and Table 1.
.. [2] Chowdhery et al. (2022), "PaLM: Scaling Language Modeling with Pathways",
   https://arxiv.org/abs/2204.02311, appendix B.
.. [3] Du et al. (2021), "GLaM: Efficient Scaling of Language Models with Mixture-of-Experts",
   https://arxiv.org/abs/2112.06905 (every token goes through 2 of 64 experts).
.. [4] Raffel et al. (2019), "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
   Transformer", https://arxiv.org/abs/1910.10683, section 3.2.2.
.. [5] Radford et al. (2021), "Learning Transferable Visual Models From Natural Language Supervision",
   https://arxiv.org/abs/2103.00020, figure 3.
"""

from numpy.typing import ArrayLike

from opencarbon.physics._arrays import FloatArray, as_float64, checked, numpy_scalar_if_0d
from opencarbon.physics._blocks import FLOP_PER_MULTIPLY_ADD, swin_flop, transformer_flop, vit_flop
from opencarbon.physics._evoformer import evoformer_block_flop, evoformer_flop
from opencarbon.units import SECONDS_PER_HOUR

__all__ = [
    "FORWARD_FLOP_PER_PARAMETER_AND_TOKEN",
    "active_parameters",
    "attention_flop_per_token",
    "contrastive_flop",
    "decoder_flop_per_token",
    "encoder_decoder_flop",
    "evoformer_block_flop",
    "evoformer_flop",
    "speech_tokens",
    "swin_flop",
    "transformer_flop",
    "vit_flop",
]

FORWARD_FLOP_PER_PARAMETER_AND_TOKEN = 2.0
"""Each parameter is one multiply-add for each token [1]_."""


def attention_flop_per_token(
    layers: ArrayLike, width: ArrayLike, context_tokens: ArrayLike, *, causal: bool = False
) -> FloatArray:
    """Products of queries with keys and of scores with values, ``4 L d T`` for one token [FLOP].

    Parameters
    ----------
    layers, width, context_tokens : array_like
        Layers L; width d of all heads together; tokens T of the sequence. Broadcast.
    causal : bool
        Count only what the causal mask leaves, half of it on average: ``2 L d T``, the term of Kaplan et
        al. [1]_. PaLM's appendix B [2]_ does not halve (``12 L H Q T`` per trained token, H Q = d).

    Returns
    -------
    ndarray of float64
        [FLOP per token], of the broadcast shape; a numpy scalar for scalars; NaN where an argument is.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    products = checked("layers", layers) * checked("width", width) * checked("context_tokens", context_tokens)
    return numpy_scalar_if_0d(as_float64((2.0 if causal else 4.0) * products))


def decoder_flop_per_token(
    parameters: ArrayLike,
    layers: ArrayLike = 0.0,
    width: ArrayLike = 0.0,
    context_tokens: ArrayLike = 0.0,
    *,
    causal: bool = False,
) -> FloatArray:
    """Forward cost of one token, ``2 N`` plus attention [FLOP] [1]_, [2]_.

    Encoders of one stack (BERT; of proteins, where a residue is a token) cost the same.

    Parameters
    ----------
    parameters : array_like
        Parameters N that work on each token.
    layers, width, context_tokens, causal
        Of the attention, see `attention_flop_per_token`; without them it is left out.

    Returns
    -------
    ndarray of float64
        [FLOP per token], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    attention = attention_flop_per_token(layers, width, context_tokens, causal=causal)
    return numpy_scalar_if_0d(
        as_float64(FORWARD_FLOP_PER_PARAMETER_AND_TOKEN * checked("parameters", parameters) + attention)
    )


def active_parameters(
    shared_parameters: ArrayLike,
    expert_parameters: ArrayLike,
    experts: ArrayLike,
    experts_per_token: ArrayLike,
) -> FloatArray:
    """Parameters of a mixture of experts that work on each token, ``shared + in experts x k / E`` [3]_.

    Parameters
    ----------
    shared_parameters : array_like
        Parameters that every token passes: attention, embeddings, dense layers, shared experts.
    expert_parameters : array_like
        Parameters of all routed experts of all layers together.
    experts, experts_per_token : array_like
        Routed experts E of a layer, at least 1, and how many of them, k, a token goes through.

    Returns
    -------
    ndarray of float64
        [parameters], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is outside its range, or there are more experts per token than experts.
    """
    share = checked("experts_per_token", experts_per_token) / checked("experts", experts, at_least=1.0)
    working = checked("expert_parameters", expert_parameters) * checked(
        "experts_per_token over experts", share, at_most=1.0
    )
    return numpy_scalar_if_0d(as_float64(checked("shared_parameters", shared_parameters) + working))


def encoder_decoder_flop(
    encoder_parameters: ArrayLike,
    encoder_tokens: ArrayLike,
    decoder_parameters: ArrayLike,
    decoder_tokens: ArrayLike,
) -> FloatArray:
    """Forward cost ``2 (N_enc D_enc + N_dec D_dec)`` [FLOP]: either half sees its own tokens only [4]_.

    All parameters times all tokens would count either half twice over.

    Parameters
    ----------
    encoder_parameters, decoder_parameters : array_like
        Parameters of either half. Keys and values of cross-attention, a tenth of a decoder, work on the
        tokens of the encoder; they may be counted there.
    encoder_tokens, decoder_tokens : array_like
        Tokens that either half reads: text, or frames of speech.

    Returns
    -------
    ndarray of float64
        [FLOP], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    encoder = checked("encoder_parameters", encoder_parameters) * checked("encoder_tokens", encoder_tokens)
    decoder = checked("decoder_parameters", decoder_parameters) * checked("decoder_tokens", decoder_tokens)
    return numpy_scalar_if_0d(as_float64(FORWARD_FLOP_PER_PARAMETER_AND_TOKEN * (encoder + decoder)))


def contrastive_flop(
    image_flop: ArrayLike, text_flop: ArrayLike, embedding_width: ArrayLike, batch_size: ArrayLike
) -> FloatArray:
    """Forward cost of two towers on a pair [FLOP] [5]_: either tower, and the pair's row of similarities.

    Parameters
    ----------
    image_flop, text_flop : array_like
        Forward cost of either tower on its half of the pair [FLOP].
    embedding_width, batch_size : array_like
        Width of the common space, and pairs that each is compared with: ``2 x width x pairs``.

    Returns
    -------
    ndarray of float64
        [FLOP per pair], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    similarities = checked("embedding_width", embedding_width) * checked("batch_size", batch_size)
    towers = checked("image_flop", image_flop) + checked("text_flop", text_flop)
    return numpy_scalar_if_0d(as_float64(towers + FLOP_PER_MULTIPLY_ADD * similarities))


def speech_tokens(audio_hours: ArrayLike, frames_per_s: ArrayLike) -> FloatArray:
    """Tokens that a speech transformer reads: seconds of audio times frames per second.

    Parameters
    ----------
    audio_hours : array_like
        Audio seen, repeated epochs and padding included [h].
    frames_per_s : array_like
        Positions per second after the convolutions: 50 in wav2vec 2.0 and in the encoder of Whisper.

    Returns
    -------
    ndarray of float64
        [tokens], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If an argument is negative or infinite.
    """
    seconds = SECONDS_PER_HOUR * checked("audio_hours", audio_hours)
    return numpy_scalar_if_0d(as_float64(seconds * checked("frames_per_s", frames_per_s)))
