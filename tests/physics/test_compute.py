import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from opencarbon.physics.compute import inference_flop, training_flop


def test_a_dense_model_takes_6_flop_per_parameter_and_token() -> None:
    assert 6 * 176e9 * 366e9 == training_flop(parameters=176e9, training_tokens=366e9)


def test_a_mixture_of_experts_counts_its_active_parameters() -> None:
    assert 6 * 37e9 * 14.8e12 == training_flop(
        parameters=671e9, active_parameters=37e9, training_tokens=14.8e12
    )


def test_active_parameters_alone_are_enough() -> None:
    assert 6 * 37e9 * 1e12 == training_flop(active_parameters=37e9, training_tokens=1e12)


def test_a_given_forward_pass_counts_three_times() -> None:
    assert 3 * 61.6e9 * 90 * 1.28e6 == pytest.approx(
        training_flop(forward_flop_per_sample=61.6e9, samples=90 * 1.28e6), rel=1e-15
    )


def test_gpt_3_comes_to_its_printed_compute() -> None:
    # Brown et al. 2020, Table D.1: 174,600 million parameters, 300 billion tokens, 3.14e23 FLOP
    assert 3.14e23 == pytest.approx(training_flop(parameters=174.6e9, training_tokens=300e9), rel=0.01)


def test_palm_comes_to_its_printed_compute_without_and_with_attention() -> None:
    # Epoch AI: 2.5272e24 for 6 N D; Chowdhery et al. 2022: 2.56e24 with 118 layers of 48 heads of 256
    bare = training_flop(parameters=540.35e9, training_tokens=780e9)
    attended = training_flop(
        parameters=540.35e9, training_tokens=780e9, layers=118, width=48 * 256, context_tokens=2048
    )

    assert 2.53e24 == pytest.approx(bare, rel=0.002)
    assert 2.56e24 == pytest.approx(attended, rel=0.002)


def test_t5_11b_comes_to_its_measured_compute_only_by_halves() -> None:
    # Patterson et al. 2021, Table 4: 4.05e22. 24 layers, 128 heads of 128, width 1024, MLP 65536; a million
    # steps of 2,048 sequences of 512 tokens and targets of 114
    attention, mlp, sequences = 4 * 1024 * 128 * 128, 2 * 1024 * 65536, 1e6 * 2048
    encoder, decoder = 24 * (attention + mlp), 24 * (2 * attention + mlp)
    halves = training_flop(
        encoder_parameters=encoder,
        encoder_tokens=512 * sequences,
        decoder_parameters=decoder,
        decoder_tokens=114 * sequences,
    )

    assert 4.05e22 == pytest.approx(halves, rel=0.03)
    assert halves < 0.6 * training_flop(parameters=encoder + decoder, training_tokens=512 * sequences)


def test_experts_work_by_their_share() -> None:
    assert 6 * (2e9 + 64e9 / 8) * 1e12 == training_flop(
        shared_parameters=2e9, expert_parameters=64e9, experts=16, experts_per_token=2, training_tokens=1e12
    )


def test_vit_h_14_comes_to_its_printed_compute() -> None:
    # Dosovitskiy et al. 2020, Table 6: 14 epochs of 303 million images, 4262 exaFLOP
    assert 4.262e21 == pytest.approx(
        training_flop(forward_flop_per_sample=334.59e9, samples=303e6, epochs=14), rel=0.002
    )


def test_a_frozen_part_counts_once_and_a_trained_part_three_times() -> None:
    assert (3 * 800e9 + 1100e9) * 1e6 == pytest.approx(
        training_flop(forward_flop_per_sample=800e9, frozen_flop_per_sample=1100e9, samples=1e6), rel=1e-15
    )


def test_epochs_multiply_every_form_and_are_1_where_absent() -> None:
    np.testing.assert_array_equal(
        [6e19, 24e19], training_flop(parameters=1e9, training_tokens=1e10, epochs=[np.nan, 4])
    )
    assert 5 * 6 * (1e9 * 10 + 2e9 * 20) == training_flop(
        encoder_parameters=1e9, encoder_tokens=10, decoder_parameters=2e9, decoder_tokens=20, epochs=5
    )


@given(
    parameters=st.floats(0, 1e13),
    tokens=st.floats(0, 1e14),
    more=st.floats(0, 1e14),
    context=st.floats(0, 1e6),
)
def test_more_tokens_never_take_fewer_flop(
    parameters: float, tokens: float, more: float, context: float
) -> None:
    shape = {"parameters": parameters, "layers": 96.0, "width": 12288.0, "context_tokens": context}
    few = training_flop(training_tokens=tokens, **shape)

    assert few <= training_flop(training_tokens=tokens + more, **shape)


@given(shared=st.floats(0, 1e12), in_experts=st.floats(0, 1e13), experts=st.integers(1, 4096))
def test_a_mixture_that_asks_every_expert_takes_what_a_dense_model_does(
    shared: float, in_experts: float, experts: int
) -> None:
    assert training_flop(parameters=shared + in_experts, training_tokens=1e12) == training_flop(
        shared_parameters=shared,
        expert_parameters=in_experts,
        experts=experts,
        experts_per_token=experts,
        training_tokens=1e12,
    )


@given(context=st.floats(0, 1e6))
def test_attention_vanishes_with_the_context(context: float) -> None:
    bare = float(training_flop(parameters=1e9, training_tokens=1e9))
    attended = float(
        training_flop(parameters=1e9, training_tokens=1e9, layers=24, width=2048, context_tokens=context)
    )

    assert 12 * 24 * 2048 * context * 1e9 == pytest.approx(attended - bare, rel=1e-9, abs=1e4)


def test_running_a_model_takes_a_third_of_training_it() -> None:
    assert 2 * 70e9 * 1000 == inference_flop(parameters=70e9, tokens=1000)
    assert 2 * 37e9 * 1e6 == inference_flop(parameters=671e9, active_parameters=37e9, tokens=1e6)
    np.testing.assert_array_equal(
        [4e9, 2e9, np.nan],
        inference_flop(parameters=[2, 2, np.nan], active_parameters=[np.nan, 1, np.nan], tokens=1e9),
    )


def test_running_more_parameters_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"active_parameters must be at most parameters, got 3.0"):
        inference_flop(parameters=2, active_parameters=3, tokens=1)


def test_elements_choose_their_own_form_with_nan_for_absent() -> None:
    flop = training_flop(
        parameters=[1e9, 2e9, np.nan],
        active_parameters=[np.nan, 1e9, np.nan],
        training_tokens=[1e10, 1e10, np.nan],
        forward_flop_per_sample=[np.nan, np.nan, 1e9],
        samples=[np.nan, np.nan, 1e6],
    )
    np.testing.assert_array_equal([6e19, 6e19, 3e15], flop)


def test_arguments_broadcast() -> None:
    assert (2, 3) == training_flop(parameters=[[1e9], [2e9]], training_tokens=[1e9, 2e9, 3e9]).shape


def test_scalars_give_numpy_scalars() -> None:
    assert isinstance(training_flop(parameters=1, training_tokens=1), np.float64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give parameters .* and training_tokens, or forward_flop_per_sample and samples"),
        ({"parameters": 1e9}, "give parameters"),
        ({"parameters": [1e9, np.nan], "training_tokens": 1e9}, "give parameters .* at index 1"),
        (
            {
                "parameters": 1e9,
                "training_tokens": 1e9,
                "forward_flop_per_sample": 1e9,
                "samples": [np.nan, 1e6],
            },
            "not both at index 1",
        ),
        ({"parameters": -1.0, "training_tokens": 1e9}, "parameters must be at least 0 .* got -1.0"),
        ({"parameters": 1e9, "training_tokens": np.inf}, "training_tokens must be .* finite, got inf"),
        (
            {"parameters": 1e9, "training_tokens": 1e9, "layers": [24.0, 24.0], "width": [8.0, np.nan]},
            "give layers, width and context_tokens together at index 0",
        ),
        (
            {"forward_flop_per_sample": 1e9, "samples": 1e6, "width": 8.0},
            "give layers, width and context_tokens together",
        ),
        (
            {
                "forward_flop_per_sample": 1e9,
                "samples": 1e6,
                "layers": 2.0,
                "width": 8.0,
                "context_tokens": 9.0,
            },
            "layers goes with training_tokens only",
        ),
        (
            {"parameters": 1e9, "training_tokens": 1e9, "frozen_flop_per_sample": 1e9},
            "frozen_flop_per_sample goes with forward_flop_per_sample and samples only",
        ),
        (
            {
                "parameters": 1e9,
                "training_tokens": 1e9,
                "encoder_parameters": 1e9,
                "encoder_tokens": 1e9,
                "decoder_parameters": 1e9,
                "decoder_tokens": [np.nan, np.nan, 1e9],
            },
            r"either parameters .* or encoder_parameters, .* and decoder_tokens, not both at index 2",
        ),
        (
            {
                "shared_parameters": 1e9,
                "expert_parameters": 1e9,
                "experts": 8,
                "experts_per_token": 2,
            },
            "or shared_parameters, expert_parameters, experts, experts_per_token and training_tokens, or enc",
        ),
        (
            {"parameters": 1e9, "active_parameters": 2e9, "training_tokens": 1e9},
            "active_parameters must be at most parameters, got 2000000000.0",
        ),
    ],
)
def test_values_that_give_no_single_answer_are_refused(arguments: dict[str, ArrayLike], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_flop(**arguments)
