"""Families of both sources meet by organisation, line of names and generation, and no others do."""

import pytest

from opencarbon.catalog.catalog import load_catalog
from opencarbon.estimation.fitting.run_families import Families

RUNS = load_catalog().runs.to_pylist()
OURS = Families.of((row["organisation"], row["model"], row["family"]) for row in RUNS)


@pytest.mark.parametrize(
    ("organisation", "model", "family"),
    [
        ("Meta AI", "Llama 2-70B", "llama-2"),
        ("Meta AI", "Llama 3-70B", "llama-3"),
        ("Meta AI", "Llama 3.1-405B", "llama-3"),
        ("Meta", "Llama 4 Behemoth (preview)", "llama-4"),
        ("Meta AI,New York University (NYU)", "ESM2-15B", "esm2"),
        ("Facebook,University of Washington", "RoBERTa Large", "roberta"),
        ("Google Research", "PaLM (540B)", "palm"),
        ("Google Brain", "Meena", "meena"),
        ("Hugging Face,BigScience", "BLOOM-176B", "bloom"),
        ("Facebook,INRIA,Sorbonne University", "CamemBERT", "camembert"),
        ("OpenAI", "GPT-3 175B (davinci)", "gpt-3"),
        ("OpenAI", "OpenAI Five", "openai-five"),
        ("Microsoft,NVIDIA", "Megatron-Turing NLG 530B", "mt-nlg"),
        ("Huawei Noah's Ark Lab", "PanGu-\u03a3", "pangu"),
    ],
)
def test_a_row_of_epoch_is_of_the_family_of_the_catalog(organisation: str, model: str, family: str) -> None:
    assert family == OURS.family(organisation, model)


@pytest.mark.parametrize(
    ("organisation", "one", "other"),
    [
        ("Meta AI", "Llama 2-7B", "Llama 3-8B"),
        ("OpenAI", "GPT-3 175B", "GPT-4"),
        ("Google", "Transformer (big)", "Transformer-XL (257M)"),
        ("Amazon", "Amazon Titan", "Amazon Nova Pro"),
        ("University of Toronto", "Deep Autoencoders", "Deep Belief Nets"),
        ("Google Brain", "Big Transformer for Back-Translation", "BIG LSTM+CNN INPUTS"),
    ],
)
def test_other_lines_of_one_organisation_are_other_families(organisation: str, one: str, other: str) -> None:
    assert OURS.family(organisation, one) != OURS.family(organisation, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Google", "PaLM 540B"), ("NVIDIA", "PaLM 540B")),
        (("DeepMind", "Gopher"), ("Google DeepMind", "Gopher 2")),
    ],
)
def test_one_name_of_two_organisations_is_two_families(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert OURS.family(*one) != OURS.family(*other)


@pytest.mark.parametrize(
    ("organisation", "model", "family"),
    [
        ("Meta AI", "Kite-7B", "Meta Kite"),
        ("Facebook AI Research", "Kite2.5-70B", "Meta Kite"),
        ("Amazon", "Amazon Kite", "Amazon Kite"),
        ("Stanford University", "GPT-2 Medium", "Stanford University GPT 2"),
        (None, "Kite", "Kite"),
        ("Meta AI", None, None),
    ],
)
def test_elsewhere_organisation_and_first_word_name_the_family(
    organisation: str | None, model: str | None, family: str | None
) -> None:
    assert family == OURS.family(organisation, model)


def test_a_generation_is_not_a_number_of_parameters() -> None:
    families = Families.of([("Example Lab", "Kite 2 7B", "kite-2"), ("Example Lab", "Kite 3 8B", "kite-3")])
    found = [families.family("Example Lab", name) for name in ("Kite 2.1-70B", "Kite3", "Kite-3B", "Kite 8B")]
    assert found == ["kite-2", "kite-3", "Example Lab Kite", "Example Lab Kite"]
