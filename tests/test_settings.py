"""Settings: where they come from, what goes over what, and what is refused."""

from pathlib import Path

import pytest

from opencarbon.errors import ConfigError
from opencarbon.settings import Settings, known_keys, load_settings, masked

TOKEN = "em-token-of-the-tests"


def toml(folder: Path, text: str) -> Path:
    path = folder / "opencarbon.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_arguments_go_over_the_environment_over_the_file_over_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toml(tmp_path, "[plan]\ntop_k = 4\nhorizon_hours = 48\nmax_delay_hours = 6\n")
    monkeypatch.setenv("OPENCARBON_PLAN__TOP_K", "5")
    monkeypatch.setenv("OPENCARBON_PLAN__HORIZON_HOURS", "36")

    plan = load_settings(config, {"plan": {"top_k": 6, "max_delay_hours": None}}).plan

    assert (6, 36, 6.0, 0.0) == (plan.top_k, plan.horizon_hours, plan.max_delay_hours, plan.min_saving_pct)


def test_a_file_does_not_hide_the_other_keys_of_its_section(tmp_path: Path) -> None:
    settings = load_settings(toml(tmp_path, "[publish]\nkeep_runs = 3\n"))

    assert (3, 20.0) == (settings.publish.keep_runs, settings.publish.max_rejected_pct)


def test_the_defaults_are_those_of_the_configuration_that_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCARBON_PUBLISH__REPORT")
    shipped = load_settings(Path(__file__).parent.parent / "configs/opencarbon.toml")

    assert Settings() == shipped


def test_the_configuration_that_is_shipped_names_every_setting() -> None:
    lines = (
        (Path(__file__).parent.parent / "configs/opencarbon.toml").read_text(encoding="utf-8").splitlines()
    )

    section, named = "", set()
    for line in lines:
        words = line.removeprefix("# ").split()
        if line.startswith("["):
            section = line.strip("[").partition("]")[0] + "."
            named.add(section.rstrip("."))
        elif len(words) > 1 and words[1] == "=":
            named.add(section + words[0])
    secrets = {"electricity_maps.token", "notify.webhook_url"}
    assert set() == set(known_keys()) - secrets - named


@pytest.mark.parametrize(
    ("text", "unknown", "near"),
    [
        ("[plan]\ntopk = 3\n", "plan.topk", "plan.top_k"),
        ("top_k = 3\n", "top_k", "plan.top_k"),
        ("[publish]\ntop_k = 3\n", "publish.top_k", "plan.top_k"),
        ("[electricity_map]\nhorizon_hours = 24\n", "electricity_map.horizon_hours", "horizon_hours"),
        ("[pubish]\n", "pubish", "publish"),
        ("region = ['a.csv']\n", "region", "regions"),
    ],
)
def test_an_unknown_key_of_a_file_names_the_nearest_known_one(
    tmp_path: Path, text: str, unknown: str, near: str
) -> None:
    config = toml(tmp_path, text)

    with pytest.raises(ConfigError, match=f"unknown setting '{unknown}'; did you mean '.*{near}") as raised:
        load_settings(config)

    assert str(config) in str(raised.value)


def test_an_unknown_key_that_is_near_to_none_says_where_all_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="opencarbon check"):
        load_settings(toml(tmp_path, "zzzzzz = 1\n"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OPENCARBON_PLAN__TOPK", "3"), ("OPENCARBON_PLAN", '{"topk": 3}'), ("OPENCARBON_TOP_K", "3")],
)
def test_an_unknown_variable_names_the_nearest_known_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError, match=r"the environment holds the unknown setting .*'plan\.top_k'"):
        load_settings()


def test_a_variable_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCARBON_PLAN__TOP_K", "")
    monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", "")

    settings = load_settings()

    assert (3, None) == (settings.plan.top_k, settings.electricity_maps.token)


@pytest.mark.parametrize("variable", ["OPENCARBON_REGIONS", "OPENCARBON_MANIFEST__COLUMNS"])
def test_a_list_or_table_that_is_not_json_is_refused_with_an_example(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "mine.csv")

    with pytest.raises(ConfigError, match=f"{variable}: a list or a table is written as JSON"):
        load_settings()


def test_lists_and_tables_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCARBON_REGIONS", '["a.csv", "b.csv"]')
    monkeypatch.setenv("OPENCARBON_MANIFEST__COLUMNS", '{"JobName": "job_id"}')
    monkeypatch.setenv("OPENCARBON_MANIFEST__CARRY__COST_CENTRE", "string")

    settings = load_settings()

    assert ("a.csv", "b.csv") == settings.regions
    assert {"JobName": "job_id"} == settings.manifest.columns
    assert {"cost_centre": "string"} == settings.manifest.carry


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[plan]\ntop_k = 0\n", "'plan.top_k'"),
        ("[plan]\nhorizon_hours = 1000\n", "'plan.horizon_hours'"),
        ("[publish]\nmax_rejected_pct = 101\n", "'publish.max_rejected_pct'"),
        ("[electricity_maps]\nhorizon_hours = 25\n", "'electricity_maps.horizon_hours'"),
        ("[electricity_maps]\nconcurrency = 5\n", "'electricity_maps.concurrency'"),
        ("[electricity_maps]\nrequests_per_night = 0\n", "'electricity_maps.requests_per_night'"),
        ("[estimate]\nprofile = 'papers'\n", "'estimate.profile'"),
        ("[manifest]\nnaive_timestamps = 'CET'\n", "'manifest.naive_timestamps'"),
        ("[manifest.carry]\ncost = 'money'\n", "'manifest.carry.cost'"),
        ("[run]\nrunner = 'spark'\n", "'run.runner'"),
        ("[run]\nworkers = 0\n", "'run.workers'"),
        ("[run]\nrows_per_partition = 0\n", "'run.rows_per_partition'"),
        ("[budget.teams]\nchat = 0\n", "'budget.teams.chat'"),
        ("[budget.teams]\nchat = inf\n", "'budget.teams.chat'"),
        ("[plan]\nclaim_up_to_mw = -1\n", "'plan.claim_up_to_mw'"),
        ("electricity_maps = 3\n", "electricity_maps is a section"),
        ("store = 'x'\n", "store is a section"),
        ("[plan\n", "is not TOML"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_settings(toml(tmp_path, text))


def test_budgets_of_teams_are_under_their_own_names(tmp_path: Path) -> None:
    budget = load_settings(toml(tmp_path, "[budget.teams]\nChat = 5\n'R&D.vision' = 2.5\n")).budget

    assert {"Chat": 5.0, "R&D.vision": 2.5} == budget.teams


def test_ten_megawatts_into_a_region_may_be_claimed_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    assert 10 == load_settings().plan.claim_up_to_mw
    assert 0 == load_settings(toml(tmp_path, "[plan]\nclaim_up_to_mw = 0\n")).plan.claim_up_to_mw


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file"):
        load_settings(tmp_path / "none.toml")


def test_relative_paths_of_a_file_count_from_its_folder(tmp_path: Path) -> None:
    text = (
        "regions = ['r.csv']\ndevices = ['sub/d.toml']\n[store]\nroot = '../s'\nfiles = ['i.parquet', 's3://b/i']\n"
        "[publish]\nroot = 'out'\n[epoch_ai]\nmodels_url = 'models.csv'\n[run]\nwork_root = 'work'\n"
    )

    settings = load_settings(toml(tmp_path, text))

    assert (str(tmp_path / "r.csv"),) == settings.regions
    assert (str(tmp_path / "sub/d.toml"),) == settings.devices
    assert str(tmp_path.parent / "s") == settings.store.root
    assert (str(tmp_path / "i.parquet"), "s3://b/i") == settings.store.files
    assert str(tmp_path / "out") == settings.publish.root
    assert str(tmp_path / "work") == settings.run.work_root
    assert str(tmp_path / "models.csv") == settings.epoch_ai.models_url


@pytest.mark.parametrize(
    "name", ["regions", "devices", "store.files", "history.files", "hindsight.completed", "plan.capacities"]
)
def test_every_list_of_files_counts_from_the_folder_of_the_file(tmp_path: Path, name: str) -> None:
    section, _, key = name.rpartition(".")
    header = f"[{section}]\n" if section else ""

    settings = load_settings(toml(tmp_path, f"{header}{key} = ['a.csv']\n"))

    found = getattr(getattr(settings, section) if section else settings, key)
    assert (str(tmp_path / "a.csv"),) == found


class TestSecrets:
    @pytest.mark.parametrize(
        ("section", "key", "variable"),
        [
            ("electricity_maps", "token", "OPENCARBON_ELECTRICITY_MAPS__TOKEN"),
            ("notify", "webhook_url", "OPENCARBON_NOTIFY__WEBHOOK_URL"),
        ],
    )
    def test_a_secret_in_a_file_is_refused_without_being_repeated(
        self, tmp_path: Path, section: str, key: str, variable: str
    ) -> None:
        config = toml(tmp_path, f"[{section}]\n{key} = '{TOKEN}'\n")

        with pytest.raises(ConfigError, match=variable) as raised:
            load_settings(config)

        assert TOKEN not in str(raised.value)

    def test_secrets_of_the_environment_are_masked_wherever_settings_are_shown(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS__TOKEN", f" {TOKEN}\n")
        monkeypatch.setenv("OPENCARBON_NOTIFY__WEBHOOK_URL", f"https://hooks.example.org/{TOKEN}\n")

        settings = load_settings()

        token, url = settings.electricity_maps.token, settings.notify.webhook_url
        assert token is not None
        assert url is not None
        assert TOKEN == token.get_secret_value()
        assert f"https://hooks.example.org/{TOKEN}" == url.get_secret_value()
        for shown in (repr(settings), str(settings), str(masked(settings)), settings.model_dump_json()):
            assert TOKEN not in shown

    def test_broken_json_that_holds_a_token_is_refused_without_being_repeated(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENCARBON_ELECTRICITY_MAPS", f'{{"token": "{TOKEN}"')

        with pytest.raises(ConfigError) as raised:
            load_settings()

        assert TOKEN not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            (f"https://me:{TOKEN}@host:8080/m.csv?sig={TOKEN}", "https://***@host:8080/m.csv?***"),
            (f"https://{TOKEN}@host/m.csv", "https://***@host/m.csv"),
            (f"s3://key:{TOKEN}@bucket/m.csv", "s3://***@bucket/m.csv"),
            (
                f"abfss://container:{TOKEN}@account.dfs.core.windows.net/m",
                "abfss://container@account.dfs.core.windows.net/m",
            ),
            ("https://host/m.csv", "https://host/m.csv"),
            ("data/m?1.csv", "data/m?1.csv"),
        ],
    )
    def test_user_and_query_of_a_url_are_masked(self, given: str, shown: str) -> None:
        arguments = {"epoch_ai": {"models_url": given}, "store": {"files": [given]}}

        values = masked(load_settings(None, arguments))

        assert (shown, [shown]) == (values["epoch_ai"]["models_url"], values["store"]["files"])

    def test_no_setting_but_the_token_and_the_webhook_takes_a_secret(self) -> None:
        words = ("token", "password", "secret", "webhook")
        secret = {key for key in known_keys() if any(word in key for word in words)}

        of_maps = {"electricity_maps.token", "electricity_maps.secret_block"}
        assert of_maps | {"notify.webhook_url", "notify.secret_block"} == secret


def test_settings_cannot_be_changed_after_they_are_made() -> None:
    settings = Settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.plan.top_k = 5  # type: ignore[misc]  # that it cannot is what is shown
