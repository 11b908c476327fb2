"""Number formats have one spelling, and the words of a source tell decoders from other models."""

import pytest

from opencarbon.estimation.fitting.model_facts import model_kind_of, precision_of


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("BF16", "bf16"),
        ("bfloat16", "bf16"),
        ("FP16", "fp16"),
        ("float16", "fp16"),
        ("TF32", "tf32"),
        ("FP32", "fp32"),
        ("FP8", "fp8"),
        ("FP8 (E4M3)", "fp8"),
        ("MXFP4", "fp4"),
        ("INT8", "int8"),
        ("Unknown", None),
        ("BF16,FP8", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_format_has_one_spelling(text: str | None, precision: str | None) -> None:
    assert precision == precision_of(text)


@pytest.mark.parametrize(
    ("domain", "model", "notes", "abstract", "kind"),
    [
        ("Language", "Kite-7B", None, "Kite is a decoder-only transformer.", "decoder_language_model"),
        ("Language", "Kite-7B", None, "An autoregressive language model of code.", "decoder_language_model"),
        ("Language", "KiteGPT", None, None, None),
        ("Language", "GPT-Kite", None, None, "decoder_language_model"),
        ("Language", "Kite-7B", "a GPT-2-like model", "Next to BERT", "decoder_language_model"),
        ("Language", "KiteBERT large", "counted like GPT", None, "other"),
        ("Language", "Kite-7B", None, "It is pre-trained by masked language modelling, unlike GPT.", "other"),
        ("Language", "Kite-7B", None, "An encoder-decoder of 7e9 parameters for LLM users.", "other"),
        ("Language", "Kite LM", None, "A stacked LSTM.", "other"),
        ("Language", "Kite-7B", None, "A model of language.", None),
        ("Language", "Kite-7B", None, None, None),
        ("Vision", "GPT-Kite", None, "autoregressive", "other"),
        ("Biology", "Kite", None, "a large language model of proteins", "other"),
        ("Language,Vision", "GPT-Kite", None, None, None),
        ("Language,Vision", "Kite", None, "contrastive learning of images and text", "other"),
        ("", "GPT-Kite", None, None, None),
        (None, "GPT-Kite", None, None, None),
    ],
)
def test_the_words_of_the_source_tell_a_decoder(
    domain: str | None, model: str, notes: str | None, abstract: str | None, kind: str | None
) -> None:
    assert kind == model_kind_of(domain, model, notes, abstract)
