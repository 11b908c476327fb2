"""What the fields of a source say about a model: its number format, and whether it is a decoder."""

import re
from typing import Final

DECODER: Final = "decoder_language_model"
OTHER: Final = "other"

_PRECISIONS: Final = {
    "fp64": "fp64",
    "float64": "fp64",
    "double": "fp64",
    "fp32": "fp32",
    "float32": "fp32",
    "single": "fp32",
    "tf32": "tf32",
    "tensorfloat32": "tf32",
    "fp16": "fp16",
    "float16": "fp16",
    "half": "fp16",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "fp8": "fp8",
    "float8": "fp8",
    "fp8e4m3": "fp8",
    "fp8e5m2": "fp8",
    "fp4": "fp4",
    "mxfp4": "fp4",
    "nvfp4": "fp4",
    "int8": "int8",
}

_NOT_A_DECODER: Final = re.compile(
    r"\bmasked (?:language|token|span)|\bbi-?directional\b|\bencoder[- ]decoder"
    r"|\bsequence[- ]to[- ]sequence\b|\bseq2seq\b"
    r"|\bdenois|\bspan corruption|\btext-to-text\b|\bencoder representations|BERT|ELECTRA|\bm?T5\b|\bBART\b"
    r"|\bLSTMs?\b|\bGRUs?\b|\bRNNs?\b|\brecurrent\b|\bword (?:vectors|embeddings)\b|\bconvolution|\bn-gram\b"
    r"|\bmachine translation\b|\btranslation model|\bdiffusion (?:language )?model|\bembedding model"
    r"|\bcontrastive\b",
    re.IGNORECASE,
)
_DECODER: Final = re.compile(
    r"\bauto-?regressive|\bdecoder[- ]only\b|\bcausal (?:language|decoder)|\bleft[- ]to[- ]right\b|\bGPT"
    r"|\blarge language models?\b|\bLLMs?\b|\bfoundation language model"
    r"|\bgenerative (?:pre-?trained )?(?:language|transformer)",
    re.IGNORECASE,
)


def precision_of(text: str | None) -> str | None:
    """The number format of a training run, in one spelling.

    Parameters
    ----------
    text : str or None
        As its source writes it, such as ``"BF16"``.

    Returns
    -------
    str or None
        ``fp64``, ``fp32``, ``tf32``, ``fp16``, ``bf16``, ``fp8``, ``fp4`` or ``int8``; None for anything
        else, several formats included.
    """
    return _PRECISIONS.get(re.sub(r"[^a-z0-9]", "", (text or "").casefold()))


def model_kind_of(
    domain: str | None, model: str | None, notes: str | None = None, abstract: str | None = None
) -> str | None:
    """Tell whether a model is an autoregressive language model of decoder blocks, by its source's words.

    A model without language among its domains is another kind. Else words decide, such as "autoregressive" or
    "masked": those of the name, then those of the notes unless they say both, then those of the abstract,
    where the words of another kind prevail. Tasks decide nothing: encoders are listed as generating text, too.

    Parameters
    ----------
    domain : str or None
        Names, separated by commas, as Epoch AI lists them.
    model, notes, abstract : str or None
        The model's name, notes on how its FLOP are known, and its paper's abstract.

    Returns
    -------
    str or None
        ``decoder_language_model`` or ``other``; None where there is no domain, where language is one of
        several and no word of another kind is found, and where nothing is said.
    """
    domains = _names(domain)
    if not domains:
        return None
    if "language" not in domains:
        return OTHER
    decided = (said for said in map(_said, (model or "", notes or "")) if len(said) == 1)
    said = next(decided, _said(abstract or ""))
    if OTHER in said:
        return OTHER
    return DECODER if DECODER in said and domains == {"language"} else None


def _said(text: str) -> frozenset[str]:
    """The kinds of which a text has words."""
    return frozenset(
        kind for kind, words in ((OTHER, _NOT_A_DECODER), (DECODER, _DECODER)) if words.search(text)
    )


def _names(text: str | None) -> set[str]:
    return {name.strip().casefold() for name in (text or "").split(",")} - {""}
