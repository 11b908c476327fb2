"""The settings by section: their defaults, their bounds and where a default is from."""

from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

Profile = Literal["calibrated", "paper"]
EmissionFactorType = Literal["lifecycle", "direct"]


def text_or_none(secret: SecretStr | None) -> SecretStr | None:
    """A secret without the white space around it, if there is anything else.

    A variable that is set to nothing, or read from a file with a line break, is common in CI.

    Parameters
    ----------
    secret : SecretStr or None

    Returns
    -------
    SecretStr or None
    """
    text = secret.get_secret_value().strip() if secret else ""
    return SecretStr(text) if text else None


class Section(BaseModel):
    """Settings that belong together: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ElectricityMapsSettings(Section):
    """Where grid carbon intensity comes from."""

    base_url: str = "https://api.electricitymaps.com/v4"
    token: SecretStr | None = Field(
        default=None, description="From the environment or a Secret block, never a file."
    )
    secret_block: str | None = Field(
        default=None, description="Name of the Prefect Secret block with the token."
    )
    horizon_hours: Literal[6, 24, 48, 72] = 72
    emission_factor_type: EmissionFactorType = "lifecycle"
    flow_traced: bool = Field(
        default=True,
        description="Intensity of what a zone consumes, imports among it; else of what it generates.",
    )
    allow_sandbox: bool = Field(default=False, description="Accept the made-up data of a sandbox token.")
    requests_per_minute: float = Field(default=120, gt=0)
    requests_per_night: int = Field(
        default=1000, ge=1, description="Requests of one run at most, those that are tried again among them."
    )
    concurrency: int = Field(default=4, ge=1, le=4, description="Requests under way at most.")

    @property
    def accounting_basis(self) -> Literal["flow_traced", "production"]:
        """How the intensities asked for are attributed."""
        return "flow_traced" if self.flow_traced else "production"

    @field_validator("token")
    @classmethod
    def _empty_is_none(cls, token: SecretStr | None) -> SecretStr | None:
        return text_or_none(token)


class EpochAiSettings(Section):
    """Where published training runs come from."""

    models_url: str = "https://epoch.ai/data/notable_ai_models.csv"


class HistorySettings(Section):
    """Completed runs of the own fleet, which the fits learn from."""

    files: tuple[str, ...] = Field(
        default=(), description="Logs of runs: files, folders and globs; formats are told by content."
    )


class HindsightSettings(Section):
    """Jobs that ended, which the advice for them is held against."""

    completed: tuple[str, ...] = Field(
        default=(), description="Parquet or CSV of completed jobs: files, folders and globs."
    )


class HttpSettings(Section):
    """How patiently the sources are asked."""

    timeout_s: float = Field(
        default=20,
        gt=0,
        le=600,
        description="Longest wait for a connection, and for each piece of an answer.",
    )
    attempts: int = Field(
        default=4,
        ge=1,
        le=10,
        description="Requests for one answer at most: throttling, server errors and silence are tried again.",
    )


class StoreSettings(Section):
    """Where fetched intensities are kept."""

    root: str = str(user_data_path("opencarbon") / "store")
    files: tuple[str, ...] = Field(
        default=(), description="Intensity files (Parquet, CSV) used beside the store."
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Their column name to ours, in intensity files."
    )


class RunSettings(Section):
    """Where the partitions of a night are worked on."""

    runner: Literal["threads", "processes", "dask", "ray"] = Field(
        default="threads",
        description="Numbers are crunched outside Python's lock: threads are enough on one machine. Dask and Ray go past "
        "it, in the flow alone.",
    )
    workers: int | None = Field(
        default=None, ge=1, description="Partitions under way at most; one for every core if not given."
    )
    address: str | None = Field(
        default=None, description="Dask scheduler or Ray cluster; workers on this machine if not given."
    )
    work_root: str | None = Field(
        default=None,
        description="Folder that every worker reaches, for what passes from step to step; a temporary one of this machine "
        "if not given.",
    )
    rows_per_partition: int = Field(
        default=122_880,
        ge=1,
        description="Jobs at once per worker: memory grows with it; the default is a row group.",
    )


class PublishSettings(Section):
    """Where and how a release is published."""

    root: str | None = None
    keep_runs: int = Field(default=30, ge=1)
    max_rejected_pct: float = Field(default=20, ge=0, le=100)
    grid_hourly: bool = Field(
        default=False, description="Publish hourly intensities; the licence of the data is yours to respect."
    )
    rows_per_file: int = Field(default=5_000_000, ge=122_880)
    report: bool = Field(default=True, description="Make the page of every run.")


class ManifestSettings(Section):
    """How manifests are read."""

    columns: dict[str, str] = Field(default_factory=dict, description="Their column name to ours.")
    naive_timestamps: Literal["UTC"] | None = None
    carry: dict[str, Literal["string", "int64", "float64", "bool", "date32", "timestamp"]] = Field(
        default_factory=dict, description="Extra columns passed on to dim_job, with their type."
    )


class EstimateSettings(Section):
    """How emissions are estimated."""

    profile: Profile = "calibrated"
    device_lifetime_years: float = Field(
        default=6.0,
        gt=0,
        description="Life of a server: 6 years in Luccioni et al. 2022, arXiv:2211.02001, sec. 4.1.",
    )
    fleet_utilisation: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="Share of its life in use: 0.85 in Luccioni et al. 2022, sec. 4.1.",
    )
    interval_level: float = Field(
        default=0.8, ge=0.5, le=0.99, description="Share that intervals are to hold of what comes out."
    )
    refit_max_change_pct: float = Field(
        default=25,
        gt=0,
        description="A refit that moves the predicted hours of a device by more is held: about the median error.",
    )
    refit_min_runs_kept_pct: float = Field(
        default=50, ge=0, le=100, description="A refit that keeps fewer of the runs behind a device is held."
    )


class PlanSettings(Section):
    """How places and times are chosen."""

    top_k: int = Field(default=3, ge=1, le=50)
    horizon_hours: int = Field(default=72, ge=1, le=240)
    max_delay_hours: float = Field(default=24.0, ge=0)
    min_saving_pct: float = Field(default=0.0, ge=0, lt=100)
    min_saving_pct_to_delay: float = Field(
        default=0.0,
        ge=0,
        lt=100,
        description="What a later start, or pauses, must save beside the best start without delay.",
    )
    restart_kwh_per_device: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Energy at the server that a device takes to resume after a pause.",
    )
    claim_up_to_mw: float = Field(
        default=10.0,
        ge=0,
        allow_inf_nan=False,
        description="Load that advice may put into one region before no sum of savings is claimed, without capacities. "
        "10 MW is a whole hall: the larger ones hold up to 9 MW of servers (Data Center Frontier, 'MegaHall: data suites "
        "get larger'), and a data centre above 10 MW counts as large (Pilz and Heim 2023, 'Compute at Scale', summary).",
    )
    default_region: str | None = None
    capacities: tuple[str, ...] = Field(
        default=(), description="Parquet or CSV of the devices that are free for the queue, by region."
    )


class BudgetSettings(Section):
    """When a release counts as over budget."""

    run_kgco2e: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Most that all jobs together may emit."
    )
    teams: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict, description="Most that all jobs of a team may emit, by its name."
    )
    when_over: Literal["fail", "flag"] = Field(
        default="fail", description="fail: exit status 4 after publishing; flag: only said in the tables."
    )


class NotifySettings(Section):
    """Whom a flow tells when it fails, crashes or is over budget."""

    webhook_url: SecretStr | None = Field(
        default=None,
        description="Takes a POST of JSON. From the environment or a Secret block, never a file.",
    )
    secret_block: str | None = Field(
        default=None, description="Name of the Prefect Secret block with the URL of the webhook."
    )

    @field_validator("webhook_url")
    @classmethod
    def _empty_is_none(cls, url: SecretStr | None) -> SecretStr | None:
        return text_or_none(url)
