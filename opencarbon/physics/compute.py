"""Training and inference FLOP from what is known about a model and its data.

References
----------
.. [1] Kaplan et al. (2020), "Scaling Laws for Neural Language Models", https://arxiv.org/abs/2001.08361,
   section 2.1: about 2 FLOP per parameter and token forward, twice that backward, so C = 6 N D.
.. [2] Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models",
   https://arxiv.org/abs/2203.15556, appendix F: 6 N D agrees with the detailed count to within a few percent.
.. [3] Chowdhery et al. (2022), "PaLM: Scaling Language Modeling with Pathways",
   https://arxiv.org/abs/2204.02311, appendix B: 6 N + 12 L H Q T per token, not halved for the causal mask.
.. [4] Rombach et al. (2022), "High-Resolution Image Synthesis with Latent Diffusion Models",
   https://arxiv.org/abs/2112.10752, section 3.3: the encoders of image and text are fixed.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from opencarbon.physics._arrays import (
    BoolArray,
    FloatArray,
    as_float64,
    checked,
    first_index,
    numpy_scalar_if_0d,
    where_text,
)
from opencarbon.physics.architectures import (
    FORWARD_FLOP_PER_PARAMETER_AND_TOKEN,
    attention_flop_per_token,
    encoder_decoder_flop,
)
from opencarbon.physics.architectures import active_parameters as active_among_experts

FLOP_PER_PARAMETER_AND_TOKEN = 6.0
"""Forward 2 (one multiply, one add), backward 4 [1]_."""

TRAINING_PER_FORWARD = 3.0
"""A training step costs the forward pass plus a backward pass of twice its FLOP [1]_."""

_Given = Mapping[str, FloatArray]


def training_flop(
    *,
    parameters: ArrayLike | None = None,
    training_tokens: ArrayLike | None = None,
    active_parameters: ArrayLike | None = None,
    shared_parameters: ArrayLike | None = None,
    expert_parameters: ArrayLike | None = None,
    experts: ArrayLike | None = None,
    experts_per_token: ArrayLike | None = None,
    layers: ArrayLike | None = None,
    width: ArrayLike | None = None,
    context_tokens: ArrayLike | None = None,
    encoder_parameters: ArrayLike | None = None,
    encoder_tokens: ArrayLike | None = None,
    decoder_parameters: ArrayLike | None = None,
    decoder_tokens: ArrayLike | None = None,
    forward_flop_per_sample: ArrayLike | None = None,
    frozen_flop_per_sample: ArrayLike | None = None,
    samples: ArrayLike | None = None,
    epochs: ArrayLike | None = None,
) -> FloatArray:
    """Training compute of a run [FLOP], from parameters and tokens or from the cost of a forward pass.

    Each element uses exactly one of these forms, times `epochs`:

    - ``6 x N x D`` with N the parameters that work on a token and D the tokens [1]_, [2]_;
    - the same with N of a mixture of experts, ``shared + in experts x experts per token / experts``;
    - ``6 x (N_enc x D_enc + N_dec x D_dec)`` for an encoder-decoder;
    - ``(3 x forward + frozen) x samples``.

    The first two take attention beside it, ``12 x layers x width x context x D`` [3]_. Absent values are None
    (the whole argument) or NaN (an element). All arguments broadcast. Where activations are computed anew in
    the backward pass, hardware does up to a third more than is counted here.

    Parameters
    ----------
    parameters : array_like, optional
        Parameters of the model [1]; enough for a dense model.
    training_tokens : array_like, optional
        Tokens seen in training, repeated epochs included unless `epochs` is given [1]: of text, residues of
        proteins, frames of speech.
    active_parameters : array_like, optional
        Parameters that work on each token of a mixture of experts [1]; used instead of `parameters` where
        present, and never more than them.
    shared_parameters, expert_parameters, experts, experts_per_token : array_like, optional
        Mixture of experts: parameters that every token passes, parameters of all routed experts together [1],
        experts of a layer, and how many of them a token goes through [1]. Instead of `parameters`.
    layers, width, context_tokens : array_like, optional
        Attention: layers, width of all heads together, tokens of a sequence [1]. Left out where absent.
    encoder_parameters, encoder_tokens, decoder_parameters, decoder_tokens : array_like, optional
        Parameters of either half of an encoder-decoder and the tokens it reads in training [1].
    forward_flop_per_sample : array_like, optional
        Cost of one forward pass of one sample [FLOP].
    frozen_flop_per_sample : array_like, optional
        Cost per sample of parts that only run forward [FLOP]: the encoders of latent diffusion [4]_, the passes
        of AlphaFold 2 before the last.
    samples : array_like, optional
        Samples seen in training: the size of the data set times the epochs unless `epochs` is given [1].
    epochs : array_like, optional
        Passes over the tokens or samples given [1]; 1 where absent.

    Returns
    -------
    ndarray of float64
        Training compute [FLOP], of the broadcast shape; a numpy scalar for scalars.

    Raises
    ------
    ValueError
        If a value is outside its range, if active parameters exceed all parameters, if an element has no
        form complete or several, if attention is given in part or to a form without tokens of one stack.
    """
    given = {name: checked(name, np.nan if values is None else values) for name, values in locals().items()}
    forms = {name: count(given) for name, count in _FORMS.items()}
    _refuse_all_but_one(forms)
    _refuse_unused(given, forms)
    once: FloatArray = np.fmax.reduce(np.broadcast_arrays(*forms.values()))
    return numpy_scalar_if_0d(as_float64(once * np.where(np.isnan(given["epochs"]), 1.0, given["epochs"])))


def inference_flop(
    *, parameters: ArrayLike, tokens: ArrayLike, active_parameters: ArrayLike | None = None
) -> FloatArray:
    """Compute of running a model over tokens, read or written, ``2 x N x D`` [FLOP] [1]_.

    Parameters
    ----------
    parameters : array_like
        Parameters of the model [1].
    tokens : array_like
        Tokens of prompts and answers together [1].
    active_parameters : array_like, optional
        Parameters that work on each token of a mixture of experts [1]; used instead of `parameters` where
        present, and never more than them.

    Returns
    -------
    ndarray of float64
        [FLOP], of the broadcast shape; a numpy scalar for scalars; NaN where parameters or tokens are.

    Raises
    ------
    ValueError
        If a value is negative or infinite, or active parameters exceed all parameters.
    """
    counted = _working(
        checked("parameters", parameters),
        checked("active_parameters", np.nan if active_parameters is None else active_parameters),
    )
    return numpy_scalar_if_0d(
        as_float64(FORWARD_FLOP_PER_PARAMETER_AND_TOKEN * counted * checked("tokens", tokens))
    )


def _by_parameters(given: _Given) -> FloatArray:
    return _over_tokens(_working(given["parameters"], given["active_parameters"]), given)


def _by_experts(given: _Given) -> FloatArray:
    names = ("shared_parameters", "expert_parameters", "experts", "experts_per_token")
    return _over_tokens(active_among_experts(*(given[name] for name in names)), given)


def _by_halves(given: _Given) -> FloatArray:
    names = ("encoder_parameters", "encoder_tokens", "decoder_parameters", "decoder_tokens")
    return as_float64(TRAINING_PER_FORWARD * encoder_decoder_flop(*(given[name] for name in names)))


def _by_samples(given: _Given) -> FloatArray:
    trained = as_float64(TRAINING_PER_FORWARD * given["forward_flop_per_sample"] * given["samples"])
    return as_float64(trained + np.nan_to_num(given["frozen_flop_per_sample"]) * given["samples"])


_FORMS: Final[Mapping[str, Callable[[_Given], FloatArray]]] = {
    "parameters (or active_parameters) and training_tokens": _by_parameters,
    "forward_flop_per_sample and samples": _by_samples,
    "shared_parameters, expert_parameters, experts, experts_per_token and training_tokens": _by_experts,
    "encoder_parameters, encoder_tokens, decoder_parameters and decoder_tokens": _by_halves,
}
"""What makes a form complete -> its training FLOP, NaN where it is not."""


def _working(total: FloatArray, active: FloatArray) -> FloatArray:
    """Parameters that work on a token."""
    whole, part = np.broadcast_arrays(total, active)
    _refuse(part > whole, "active_parameters must be at most parameters", part)
    return as_float64(np.where(np.isnan(part), whole, part))


def _over_tokens(counted: FloatArray, given: _Given) -> FloatArray:
    """Parameters and, where it is given, attention at work on every token."""
    shape = np.broadcast_arrays(given["layers"], given["width"], given["context_tokens"])
    absent = np.asarray(np.isnan(shape)).sum(axis=0)
    _refuse((absent > 0) & (absent < len(shape)), "give layers, width and context_tokens together")
    attention = TRAINING_PER_FORWARD * attention_flop_per_token(*np.nan_to_num(shape))
    tokens = given["training_tokens"]
    return as_float64(FLOP_PER_PARAMETER_AND_TOKEN * counted * tokens + attention * tokens)


def _refuse_all_but_one(forms: Mapping[str, FloatArray]) -> None:
    """Raise for the first element with no form complete, or with several."""
    complete = [~np.isnan(flop) for flop in np.broadcast_arrays(*forms.values())]
    number = np.asarray(complete).sum(axis=0)
    if np.any(number > 1):
        index = first_index(np.asarray(number > 1))
        named = " or ".join(name for name, there in zip(forms, complete, strict=True) if there[index])
        _refuse(number > 1, f"give either {named}, not both")
    _refuse(number == 0, f"give {', or '.join(forms)}")


def _refuse_unused(given: _Given, forms: Mapping[str, FloatArray]) -> None:
    """Raise for the first element with an argument that its form does not take."""
    of_parameters, of_samples, of_experts, _ = (~np.isnan(flop) for flop in forms.values())
    for name in ("layers", "width", "context_tokens"):
        _refuse(
            ~np.isnan(given[name]) & ~(of_parameters | of_experts), f"{name} goes with training_tokens only"
        )
    frozen = ~np.isnan(given["frozen_flop_per_sample"])
    _refuse(frozen & ~of_samples, "frozen_flop_per_sample goes with forward_flop_per_sample and samples only")


def _refuse(bad: BoolArray, message: str, values: FloatArray | None = None) -> None:
    """Raise for the first true element of `bad`."""
    if not np.any(bad):
        return
    index = first_index(np.asarray(bad))
    got = "" if values is None else f", got {float(values[index])!r}"
    raise ValueError(f"{message}{got}{where_text(index)}")
