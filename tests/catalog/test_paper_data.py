"""The shipped facts behind the tables and figures of OpenCarbonEval."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from opencarbon.catalog.catalog import Catalog, load_catalog
from opencarbon.catalog.files import packaged, read_csv
from opencarbon.catalog.names import squeeze
from opencarbon.catalog.paper import PaperFacts, load_paper
from opencarbon.errors import ConfigError
from opencarbon.physics.throughput import mean_of_ends_device_hours

PAPER: Final = load_paper()
TABLES: Final = tuple(PaperFacts.__slots__)
TABLE_1: Final[dict[str, dict[str, Any]]] = {row["device_group"]: row for row in PAPER.table_1.to_pylist()}
TABLE_2: Final[dict[str, dict[str, Any]]] = {row["model"]: row for row in PAPER.table_2.to_pylist()}
TABLE_3: Final[dict[str, dict[str, Any]]] = {row["model"]: row for row in PAPER.table_3.to_pylist()}
MODELS: Final[list[dict[str, Any]]] = PAPER.models.to_pylist()
SCORES: Final[list[dict[str, Any]]] = PAPER.scores.to_pylist()
FIGURE_1: Final = [row for row in MODELS if row["in_figure_1"]]
TEST_MODELS: Final = ["GLM", "BLOOM", "StarCoder", "LLaMa-3", "ViT-L/16", "Swin-L"]
HALF_A_CENT: Final = 0.005  # predictions are printed to two decimals

# Table 1: TDP [W], peak [TFLOP/s], log10 alpha low and high
PRINTED_TABLE_1: Final = {
    "TPU v2": (280, 46, -1, -0.5),
    "TPU v3": (450, 123, 3, 13),
    "TPU v4": (300, 275, 15, 40),
    "K80": (300, 8.73, -6.7, -6.6),
    "P100": (300, 21.2, -4.5, -3.8),
    "V100": (300, 125, -2, 10),
    "A100": (400, 312, 20, 50),
    "H100": (700, 989, 100, 110),
}

# Table 2: parameters, ZettaFLOP, intensity [g/kWh], actual [t]
PRINTED_TABLE_2: Final = {
    "GLM": (130e9, 312, 581, 257),
    "BLOOM": (176e9, 387, 57, 24.7),
    "StarCoder": (15e9, 93, 155, 17.26),
    "LLaMa-3": (70e9, 6300, 424, 1900),
    "ViT-L/16": (307e6, 0.53, 369, 2.71),
    "Swin-L": (197e6, 0.40, 369, 0.80),
}

# Table 3: process [nm], die [mm2], factor [g/h]
PRINTED_TABLE_3: Final = {
    "GLM": (7, 826, 1.5),
    "BLOOM": (7, 826, 1.5),
    "StarCoder": (7, 826, 1.5),
    "LLaMa-3": (4, 814, 1.7),
    "ViT-L/16": (16, 700, 0.8),
    "Swin-L": (12, 815, 1.1),
}

# Tables 2 and 3: half a unit of the last digit of the printed actual
HALF_UNIT: Final = {
    "table_2": {"GLM": 0.5, "BLOOM": 0.05, "LLaMa-3": 0.5},
    "table_3": {"LLaMa-3": 0.05},
}
NOT_THE_PRINTED_ERROR: Final = {("table_2", "StarCoder", "dtr"), ("table_2", "ViT-L/16", "opencarboneval")}

# Models of Figure 1 by the groups of the appendix
APPENDIX: Final = {
    "Chat": 2,
    "Language model": 16,
    "Proteins": 3,
    "Weather prediction": 1,
    "Code generation": 2,
    "Object detection": 1,
    "Image generation": 2,
    "Translation": 2,
    "Text-to-image": 2,
    "Visual question answering": 1,
    "Image classification": 4,
    "Text autocompletion": 4,
    "Zero-shot image classification": 1,
    "Image completion": 1,
    "StarCraft": 1,
}

PRINTED_SCORES: Final = {
    "BLOOM": 39.1,
    "StarCoder": 33.9,
    "GLM": 44.8,
    "GPT-3": 43.9,
    "DeepSeek LLM 67B": 71.3,
    "Yi-34B": 76.3,
    "LLaMa-3-70B": 79.5,
    "CoCa": 91.0,
    "BASIC-L": 85.7,
    "CoAtNet": 90.88,
    "Swin Transformer V2": 90.17,
    "ViT-G/14": 90.45,
    "Meta Pseudo Labels": 90.2,
    "EVA-01": 89.7,
    "Noisy Student (L2)": 88.4,
    "ALIGN": 88.64,
    "SEER": 84.2,
    "ResNet-RS": 84.4,
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def predictions(table: str, unit: str, methods: tuple[str, ...]) -> list[Any]:
    """Every printed prediction with its error, as parameters of a test."""
    rows = {"table_2": TABLE_2, "table_3": TABLE_3}[table]
    return [
        pytest.param(table, model, method, unit, id=f"{table}-{model}-{method}")
        for model in rows
        for method in methods
    ]


def hours(row: dict[str, Any], training_flop: float) -> float:
    """Device-hours as the paper predicts them: the mean of those at the ends of Table 1's interval."""
    group = TABLE_1[row["device_group"]]
    return float(
        mean_of_ends_device_hours(training_flop, group["log10_alpha_low"], group["log10_alpha_high"])
    )


def test_every_row_of_the_paper_is_there() -> None:
    assert list(TABLE_2) == list(TABLE_3) == TEST_MODELS
    assert len(MODELS) == 67
    assert Counter(row["domain"] for row in SCORES) == {"language": 7, "vision": 11}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("table_1", "device_group"),
        ("table_2", "model"),
        ("table_3", "model"),
        ("models", "model"),
        ("scores", "model"),
    ],
)
def test_no_row_stands_twice(table: str, key: str) -> None:
    names = getattr(PAPER, table)[key].to_pylist()

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", TABLES)
def test_only_remarks_and_names_in_the_appendix_may_be_missing(table: str) -> None:
    rows: pa.Table = getattr(PAPER, table)

    assert {name for name in rows.column_names if rows[name].null_count} <= {"remark", "paper_name"}


@pytest.mark.parametrize("table", TABLES)
def test_every_device_is_one_of_the_catalog(table: str, catalog: Catalog) -> None:
    assert set(getattr(PAPER, table)["device"].to_pylist()) <= set(catalog.device_names())


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row["model"])
def test_a_device_is_what_the_catalog_understands_by_the_authors_spelling(
    row: dict[str, Any], catalog: Catalog
) -> None:
    assert catalog.device_units[squeeze(row["device_as_given"])] == (row["device"], 1.0)


def test_sources_are_listed_once_and_all_used(catalog: Catalog) -> None:
    listed = Counter(catalog.sources["source_id"].to_pylist())
    named = {
        source
        for table in TABLES
        for column in getattr(PAPER, table).column_names
        if column.endswith("source_id")
        for source in getattr(PAPER, table)[column].to_pylist()
    }
    own = set(read_csv(packaged("sources-paper.csv"))["source_id"].to_pylist())

    assert {source: listed[source] for source in named} == dict.fromkeys(named, 1)
    assert own <= named


@pytest.mark.parametrize(
    "source", read_csv(packaged("sources-paper.csv")).to_pylist(), ids=lambda source: source["source_id"]
)
def test_a_source_has_title_address_licence_and_date(source: dict[str, Any]) -> None:
    assert source["title"]
    assert source["url"].startswith("https://")
    assert source["licence"] in {"facts, cited", "CC BY 4.0"}
    assert source["attribution"]
    assert source["retrieved_date"] == date(2026, 11, 25)


def test_table_1_is_as_printed() -> None:
    columns = ("tdp_w", "peak_dense_tflop_per_s", "log10_alpha_low", "log10_alpha_high")

    assert {name: tuple(row[c] for c in columns) for name, row in TABLE_1.items()} == PRINTED_TABLE_1


def test_the_inputs_of_tables_2_and_3_are_as_printed() -> None:
    inputs_2 = {
        name: (
            row["parameters"],
            round(row["training_flop"] / 1e21, 6),
            row["carbon_intensity_gco2e_per_kwh"],
            row["published_actual_tco2e"],
        )
        for name, row in TABLE_2.items()
    }
    columns = ("process_nm", "die_mm2", "embodied_g_per_device_hour")

    assert inputs_2 == PRINTED_TABLE_2
    assert {name: tuple(row[c] for c in columns) for name, row in TABLE_3.items()} == PRINTED_TABLE_3


@pytest.mark.parametrize("group", TABLE_1)
def test_the_catalog_gives_a_device_what_table_1_gives_its_group(group: str, catalog: Catalog) -> None:
    row, device = TABLE_1[group], catalog.paper_devices[TABLE_1[group]["device"]]

    assert (device.tdp_w, device.log10_alpha_low, device.log10_alpha_high) == (
        row["tdp_w"],
        row["log10_alpha_low"],
        row["log10_alpha_high"],
    )


@pytest.mark.parametrize("model", TEST_MODELS)
def test_table_3_has_the_factor_that_the_catalog_has(model: str, catalog: Catalog) -> None:
    row = TABLE_3[model]

    assert (
        row["embodied_g_per_device_hour"] == catalog.paper_devices[row["device"]].embodied_g_per_device_hour
    )


@pytest.mark.parametrize("model", TEST_MODELS)
def test_a_printed_prediction_follows_from_the_compute_it_is_said_to_follow_from(model: str) -> None:
    operational, embodied = TABLE_2[model], TABLE_3[model]
    predicted_h = hours(operational, operational["predicted_with_training_flop"])
    watts = TABLE_1[operational["device_group"]]["tdp_w"]

    tco2e = predicted_h * watts * operational["carbon_intensity_gco2e_per_kwh"] / 1e9
    kgco2e = predicted_h * embodied["embodied_g_per_device_hour"] / 1e3

    assert round(tco2e, 2) == operational["published_opencarboneval_tco2e"]
    assert round(kgco2e, 2) == embodied["published_opencarboneval_kgco2e"]


def test_two_of_six_predictions_follow_from_the_stated_compute_and_two_from_one_anothers() -> None:
    other = {row["model"]: row["predicted_with_training_flop"] for row in TABLE_2.values()}
    stated = {row["model"]: row["training_flop"] for row in TABLE_2.values()}

    assert {model for model in TEST_MODELS if other[model] == stated[model]} == {"StarCoder", "LLaMa-3"}
    assert (other["GLM"], other["BLOOM"]) == (stated["BLOOM"], stated["GLM"])
    assert round(other["Swin-L"] / 1e21, 2) == stated["Swin-L"] / 1e21


@pytest.mark.parametrize(
    ("table", "model", "method", "unit"),
    [
        *predictions("table_2", "tco2e", ("llmcarbon", "svr", "dtr", "opencarboneval")),
        *predictions("table_3", "kgco2e", ("llmcarbon", "opencarboneval")),
    ],
)
def test_a_printed_error_is_that_of_the_printed_prediction_unless_its_remark_says_otherwise(
    table: str, model: str, method: str, unit: str
) -> None:
    row = {"table_2": TABLE_2, "table_3": TABLE_3}[table][model]
    actual, predicted = row[f"published_actual_{unit}"], row[f"published_{method}_{unit}"]
    printed, half = row[f"published_{method}_error_pct"], HALF_UNIT[table].get(model, HALF_A_CENT)
    least = 100 * ((predicted - HALF_A_CENT) / (actual + half) - 1)
    most = 100 * ((predicted + HALF_A_CENT) / (actual - half) - 1)

    agrees = least - 0.05 <= printed <= most + 0.05

    assert agrees == ((table, model, method) not in NOT_THE_PRINTED_ERROR)
    assert agrees or "printed" in row["remark"]


@pytest.mark.parametrize("model", [model for model, row in TABLE_2.items() if row["is_hours_times_tdp"]])
def test_an_actual_by_construction_is_hours_times_tdp_times_intensity(model: str) -> None:
    row = TABLE_2[model]
    watts = TABLE_1[row["device_group"]]["tdp_w"]
    tco2e = row["counted_device_hours"] * watts * row["carbon_intensity_gco2e_per_kwh"] / 1e9

    assert tco2e == pytest.approx(row["published_actual_tco2e"], rel=4e-3)
    assert "by construction" in row["remark"]


def test_the_actual_of_starcoder_is_hours_times_an_assumed_power_with_the_fine_tuning() -> None:
    row = TABLE_2["StarCoder"]

    assert not row["is_hours_times_tdp"]
    assert row["counted_device_hours"] * 280 * 1.2 * 155 / 1e9 == pytest.approx(17.26, abs=HALF_A_CENT)
    assert row["actual_device_hours"] * 280 * 1.2 * 155 / 1e9 == pytest.approx(17.26 - 0.58, abs=HALF_A_CENT)


def test_the_actual_of_vit_counts_the_two_cores_of_a_chip_as_devices() -> None:
    row = TABLE_2["ViT-L/16"]

    assert row["counted_device_hours"] == 680 * 24 == 2 * row["actual_device_hours"]


@pytest.mark.parametrize("model", TEST_MODELS)
def test_the_actuals_of_table_3_span_the_printed_one_and_that_of_the_hours_of_the_run(model: str) -> None:
    row = TABLE_3[model]
    of_the_hours = TABLE_2[model]["actual_device_hours"] * row["embodied_g_per_device_hour"] / 1e3

    ends = sorted((row["published_actual_kgco2e"], of_the_hours))

    assert ends == pytest.approx([row["actual_low_kgco2e"], row["actual_high_kgco2e"]], rel=5e-4)


def test_figure_1_has_43_models_in_15_tasks() -> None:
    assert Counter(row["task"] for row in FIGURE_1) == APPENDIX
    assert sum(APPENDIX.values()) == 43
    assert len({row["paper_name"] for row in FIGURE_1}) == 43


def test_figure_1_runs_from_alphastar_to_llama_3() -> None:
    by_date = sorted((row["publication_date"], row["model"]) for row in FIGURE_1)

    assert by_date[0] == (date(2019, 10, 30), "AlphaStar")
    assert by_date[-1] == (date(2024, 4, 18), "Llama 3-70B")


def test_models_outside_figure_1_have_no_name_in_the_appendix() -> None:
    assert {row["paper_name"] for row in MODELS if not row["in_figure_1"]} == {None}


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row["model"])
def test_the_published_leaderboard_follows_from_the_published_data(row: dict[str, Any]) -> None:
    predicted_h = mean_of_ends_device_hours(
        row["training_flop"], row["published_log10_alpha_low"], row["published_log10_alpha_high"]
    )
    tco2e = predicted_h * row["published_tdp_w"] * row["carbon_intensity_gco2e_per_kwh"] / 1e9

    assert tco2e == pytest.approx(row["published_tco2e"], rel=1e-12)


def test_scores_are_as_their_sources_print_them() -> None:
    assert {row["model"]: row["score_pct"] for row in SCORES} == PRINTED_SCORES
    assert {(row["domain"], row["benchmark"]) for row in SCORES} == {
        ("language", "mmlu"),
        ("vision", "imagenet_1k_top_1"),
    }


def test_a_score_says_how_it_was_checked() -> None:
    assert all(row["remark"].startswith("Score ") for row in SCORES)
    unchecked = {row["model"] for row in SCORES if "not checked at origin" in row["remark"]}

    assert unchecked == {"StarCoder", "Swin Transformer V2", "ALIGN", "SEER"}


def test_the_inputs_of_figure_7_are_those_of_table_2_where_it_has_the_model() -> None:
    names = {"GLM": "GLM", "BLOOM": "BLOOM", "StarCoder": "StarCoder", "LLaMa-3": "LLaMa-3-70B"}
    of_model = {row["model"]: row for row in SCORES}
    columns = ("device", "training_flop", "carbon_intensity_gco2e_per_kwh")

    for in_table, in_figure in names.items():
        assert [of_model[in_figure][c] for c in columns] == [TABLE_2[in_table][c] for c in columns]


def test_the_inputs_of_figure_7_are_the_authors_where_only_their_file_has_the_model() -> None:
    names = {"GPT-3": "GPT-3 175B (davinci)"} | {
        name: name for name in ("CoCa", "BASIC-L", "CoAtNet", "Meta Pseudo Labels", "ALIGN")
    }
    of_model, of_file = ({row["model"]: row for row in rows} for rows in (SCORES, MODELS))

    for in_figure, in_file in names.items():
        figure, file = of_model[in_figure], of_file[in_file]
        assert figure["device"] == file["device"]
        assert figure["training_flop"] == pytest.approx(file["training_flop"], rel=1e-6)
        assert figure["carbon_intensity_gco2e_per_kwh"] == file["carbon_intensity_gco2e_per_kwh"]


def test_the_compute_of_resnet_rs_is_three_forward_passes_of_every_image() -> None:
    row = next(row for row in SCORES if row["model"] == "ResNet-RS")

    assert row["training_flop"] == pytest.approx(3 * 128e9 * 109_475 * 4_096, rel=1e-3)


def test_a_cell_that_is_not_what_its_column_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("model,printed\nGLM,many\n", encoding="utf-8")

    assert read_csv(path).schema.field("printed").type == pa.string()
    with pytest.raises(ConfigError, match=r"facts\.csv cannot be used: .*many"):
        read_csv(path, {"printed": pa.float64()})


def test_types_given_for_a_file_leave_the_vocabulary_alone(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("tdp_w,year\n400,2024\n", encoding="utf-8")

    table = read_csv(path, {"tdp_w": pa.string(), "year": pa.string()})

    assert table.schema.types == [pa.float64(), pa.int64()]
