"""Forward costs against figures that their authors, or counters run on their code, print."""

from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from opencarbon.physics.architectures import (
    active_parameters,
    attention_flop_per_token,
    contrastive_flop,
    decoder_flop_per_token,
    encoder_decoder_flop,
    speech_tokens,
    swin_flop,
    transformer_flop,
    vit_flop,
)

GIGA: Final = 1e9
GMAC: Final = 2e9

# Model -> image, patch, layers, width, MLP, GFLOP that open_clip's profile prints for its image tower.
IMAGE_TOWERS: Final = {
    "ViT-B-32": (224, 32, 12, 768, 3072, 8.82),
    "ViT-B-16": (224, 16, 12, 768, 3072, 35.13),
    "ViT-L-16": (224, 16, 24, 1024, 4096, 123.11),
    "ViT-L-14": (224, 14, 24, 1024, 4096, 162.03),
    "ViT-L-14-336": (336, 14, 24, 1024, 4096, 381.92),
    "ViT-H-14": (224, 14, 32, 1280, 5120, 334.59),
    "ViT-g-14": (224, 14, 40, 1408, 6144, 534.06),
    "ViT-bigG-14": (224, 14, 48, 1664, 8192, 967.5),
    "ViT-e-14": (224, 14, 56, 1792, 15360, 1981.35),
}

# Text tower width -> GFLOP for 77 tokens: 12 layers (512, 768), 24 (1024), as open_clip's profile prints.
TEXT_TOWERS: Final = [(12, 512, 5.96), (12, 768, 13.30), (24, 1024, 47.09)]

# Model -> image, window, width, blocks, GMAC of the model hub of Swin ("FLOPs" there).
SWIN: Final = {
    "Swin-T": (224, 7, 96, (2, 2, 6, 2), 4.5),
    "Swin-S": (224, 7, 96, (2, 2, 18, 2), 8.7),
    "Swin-B": (224, 7, 128, (2, 2, 18, 2), 15.4),
    "Swin-B at 384": (384, 12, 128, (2, 2, 18, 2), 47.1),
    "Swin-L": (224, 7, 192, (2, 2, 18, 2), 34.5),
    "Swin-L at 384": (384, 12, 192, (2, 2, 18, 2), 103.9),
}

small_counts = st.integers(1, 40)
widths = st.integers(1, 4096)


@pytest.mark.parametrize("name", IMAGE_TOWERS)
def test_a_vision_transformer_costs_what_its_profile_prints(name: str) -> None:
    *shape, gflop = IMAGE_TOWERS[name]

    assert gflop == pytest.approx(float(vit_flop(*shape)) / GIGA, rel=1e-3)


@pytest.mark.parametrize(
    ("layers", "width", "gmac"), [(12, 768, 17.56), (24, 1024, 61.55)], ids=["B/16", "L/16"]
)
def test_multiply_adds_are_half_the_flop(layers: int, width: int, gmac: float) -> None:
    assert gmac == pytest.approx(float(vit_flop(224, 16, layers, width, 4 * width)) / GMAC, rel=1e-3)


@pytest.mark.parametrize(("layers", "width", "gflop"), TEXT_TOWERS)
def test_a_text_tower_costs_what_its_profile_prints(layers: int, width: int, gflop: float) -> None:
    assert gflop == pytest.approx(float(transformer_flop(77, layers, width, 4 * width)) / GIGA, rel=1e-3)


@pytest.mark.parametrize("name", SWIN)
def test_a_swin_transformer_costs_what_its_model_hub_prints(name: str) -> None:
    image, window, width, stages, gmac = SWIN[name]

    assert gmac == pytest.approx(float(swin_flop(image, 4, window, width, stages)) / GMAC, rel=5e-3)


def test_pixels_that_fill_no_patch_are_dropped() -> None:
    assert vit_flop(224, 14, 2, 64, 256) == vit_flop(230, 14, 2, 64, 256)


def test_an_odd_grid_is_padded_before_its_tokens_merge() -> None:
    merged = 2 * 9 * (4 * 8) * 16
    blocks = transformer_flop(25, 1, 8, 32) + transformer_flop(9, 1, 16, 64)

    assert 2 * 25 * 48 * 8 + merged + float(blocks) == swin_flop(20, 4, 7, 8, (1, 1))


def test_a_diffusion_transformer_counts_its_latents() -> None:
    # DiT-XL/2 at 256 pixels: 119 G in its repository, which are multiply-adds
    flop = vit_flop(32, 2, 28, 1152, 4608, channels=4, class_tokens=0)

    assert 119 == pytest.approx(float(flop) / GMAC, rel=0.01)


def test_a_token_costs_2_flop_per_parameter() -> None:
    assert 2 * 175e9 == decoder_flop_per_token(175e9)


def test_attention_counts_as_palm_does_and_half_of_it_as_kaplan_does() -> None:
    # PaLM 540B, appendix B: 12 L H Q T per trained token, three forward passes' worth
    layers, heads, head_width, context = 118, 48, 256, 2048
    full = attention_flop_per_token(layers, heads * head_width, context)

    assert 12 * layers * heads * head_width * context == 3 * full
    # Kaplan et al., section 2.1: 2 N + 2 n_layer n_ctx d_attn
    assert 2 * 540e9 + 2 * layers * context * heads * head_width == decoder_flop_per_token(
        540e9, layers, heads * head_width, context, causal=True
    )


def test_blocks_with_an_mlp_of_4_widths_are_24_n_d_squared_and_4_n_squared_d() -> None:
    n, d, layers = 100, 32, 3

    assert layers * (24 * n * d**2 + 4 * n**2 * d) == transformer_flop(n, layers, d, 4 * d)


def test_glam_works_with_97_of_its_1162_billion_parameters() -> None:
    # 64 experts in each of 32 layers of 2 x 8192 x 32768, two per token; 62.2e9 shared. Printed: 96.6e9
    in_experts = 64 * 32 * 2 * 8192 * 32768

    assert 96.6e9 == pytest.approx(active_parameters(62.2e9, in_experts, 64, 2), rel=1e-3)


def test_mixtral_works_with_12_9_of_its_46_7_billion_parameters() -> None:
    in_experts = 8 * 32 * 3 * 4096 * 14336

    assert 12.9e9 == pytest.approx(active_parameters(46.7e9 - in_experts, in_experts, 8, 2), rel=2e-3)


def test_either_half_of_an_encoder_decoder_sees_its_own_tokens_only() -> None:
    assert 2 * (3e9 * 512 + 4e9 * 114) == encoder_decoder_flop(3e9, 512, 4e9, 114)


def test_t5_xxl_costs_what_switch_prints_per_sequence() -> None:
    # Fedus et al. 2021, Table 9: T5-XXL, 6.3 TFLOP per sequence of 512 tokens and targets of 114
    attention, mlp = 4 * 4096 * 4096, 3 * 4096 * 10240
    flop = encoder_decoder_flop(24 * (attention + mlp), 512, 24 * (2 * attention + mlp), 114)

    assert 6.3e12 == pytest.approx(flop, rel=0.03)


def test_a_pair_costs_both_towers_and_its_row_of_similarities() -> None:
    assert 162.0 + 13.0 + 2 * 768 * 32768 == contrastive_flop(162.0, 13.0, 768, 32768)


def test_whisper_reads_1500_frames_in_30_seconds() -> None:
    assert 1500 == pytest.approx(float(speech_tokens(30 / 3600, 50)), rel=1e-15)


@given(shared=st.floats(0, 1e12), in_experts=st.floats(0, 1e13), experts=st.integers(1, 4096))
def test_a_mixture_that_asks_every_expert_is_dense(shared: float, in_experts: float, experts: int) -> None:
    assert shared + in_experts == active_parameters(shared, in_experts, experts, experts)


@given(layers=small_counts, width=widths, context=st.floats(0, 1e6))
def test_attention_vanishes_with_the_context(layers: int, width: int, context: float) -> None:
    bare = float(decoder_flop_per_token(1e9))
    attended = float(decoder_flop_per_token(1e9, layers, width, context))

    assert bare <= attended <= bare + 4.0 * layers * width * context * (1 + 1e-12) + 1e-6
    assert bare == decoder_flop_per_token(1e9, layers, width, 0)


@given(grid=st.integers(1, 64), window=st.integers(1, 64), width=widths, blocks=small_counts)
def test_windows_never_cost_more_than_attention_to_the_whole_image(
    grid: int, window: int, width: int, blocks: int
) -> None:
    windowed = float(swin_flop(4 * grid, 4, window, width, (blocks,)))
    whole = float(vit_flop(4 * grid, 4, blocks, width, 4 * width, class_tokens=0))

    assert windowed <= whole * (1 + 1e-12)
    assert whole == pytest.approx(float(swin_flop(4 * grid, 4, grid, width, (blocks,))), rel=1e-12)


@given(tokens=st.integers(0, 100_000), more=st.integers(0, 100_000), width=widths)
def test_a_longer_sequence_never_costs_less(tokens: int, more: int, width: int) -> None:
    assert transformer_flop(tokens, 2, width, 4 * width) <= transformer_flop(
        tokens + more, 2, width, 4 * width
    )


def test_arguments_broadcast_and_scalars_give_numpy_scalars() -> None:
    assert (2, 3) == vit_flop([[224], [384]], 16, [12, 24, 32], 768, 3072).shape
    assert (2,) == swin_flop(224, 4, 7, [96, 128], (2, 2, [6, 18], 2)).shape
    assert isinstance(transformer_flop(1, 1, 1, 1), np.float64)
    assert isinstance(swin_flop(224, 4, 7, 96, (2,)), np.float64)


def test_an_absent_figure_stays_absent() -> None:
    np.testing.assert_array_equal([2e9, np.nan], decoder_flop_per_token([1e9, np.nan]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1e9, 1e9, 8, 9), "experts_per_token over experts must be .* at most 1 .* got 1.125"),
        ((1e9, 1e9, 0, 0), "experts must be at least 1"),
        ((-1e9, 1e9, 8, 2), "shared_parameters must be at least 0 .* got -1000000000.0"),
        ((1e9, [1e9, np.inf], 8, 2), "expert_parameters must be .* finite, got inf at index 1"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(arguments: tuple[ArrayLike, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        active_parameters(*arguments)


def test_an_image_without_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="patch_size must be greater than 0"):
        vit_flop(224, 0, 12, 768, 3072)
    with pytest.raises(ValueError, match="window must be greater than 0"):
        swin_flop(224, 4, 0, 96, (2,))
