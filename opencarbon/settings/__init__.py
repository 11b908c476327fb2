"""Settings: arguments over environment over a TOML file over the defaults of the sections.

The environment speaks ``OPENCARBON_`` and two underscores between levels:
``OPENCARBON_ELECTRICITY_MAPS__TOKEN``, ``OPENCARBON_PLAN__TOP_K``. Relative paths in a TOML file count from the
folder of that file. A key that nobody knows is an error that names the nearest one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from opencarbon.errors import ConfigError
from opencarbon.settings.sections import (
    BudgetSettings,
    ElectricityMapsSettings,
    EmissionFactorType,
    EpochAiSettings,
    EstimateSettings,
    HindsightSettings,
    HistorySettings,
    HttpSettings,
    ManifestSettings,
    NotifySettings,
    PlanSettings,
    Profile,
    PublishSettings,
    RunSettings,
    StoreSettings,
)
from opencarbon.settings.sources import (
    ENVIRONMENT_PREFIX,
    masked_url,
    merged,
    read_environment,
    read_toml,
    without_none,
)

__all__ = [
    "BudgetSettings",
    "ElectricityMapsSettings",
    "EmissionFactorType",
    "EpochAiSettings",
    "EstimateSettings",
    "HindsightSettings",
    "HistorySettings",
    "HttpSettings",
    "ManifestSettings",
    "NotifySettings",
    "PlanSettings",
    "Profile",
    "PublishSettings",
    "RunSettings",
    "Settings",
    "StoreSettings",
    "known_keys",
    "load_settings",
    "masked",
]


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    electricity_maps: ElectricityMapsSettings = ElectricityMapsSettings()
    epoch_ai: EpochAiSettings = EpochAiSettings()
    history: HistorySettings = HistorySettings()
    hindsight: HindsightSettings = HindsightSettings()
    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings()
    run: RunSettings = RunSettings()
    publish: PublishSettings = PublishSettings()
    manifest: ManifestSettings = ManifestSettings()
    estimate: EstimateSettings = EstimateSettings()
    plan: PlanSettings = PlanSettings()
    budget: BudgetSettings = BudgetSettings()
    notify: NotifySettings = NotifySettings()
    regions: tuple[str, ...] = Field(default=(), description="CSV files that add to or override the regions.")
    devices: tuple[str, ...] = Field(
        default=(), description="TOML files that add to or override the devices."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: ``load_settings`` merges file, environment and arguments itself."""
        return (init_settings,)


def load_settings(config: Path | None = None, arguments: Mapping[str, Any] | None = None) -> Settings:
    """Effective settings.

    Parameters
    ----------
    config : Path, optional
        TOML file.
    arguments : mapping, optional
        Settings from the command line, nested like the file; None stands for not given.

    Returns
    -------
    Settings

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown key, a value out of range, a token in a file.
    """
    known = known_keys()
    from_file = read_toml(config, known) if config else {}
    from_environment = read_environment(Settings, known)
    try:
        return Settings(**merged(merged(from_file, from_environment), without_none(arguments or {})))
    except ValidationError as problem:
        raise ConfigError(_explain(problem)) from None


def masked(settings: Settings) -> dict[str, Any]:
    """Effective settings, ready to print.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict
        Nested plain values; secrets are masked, and what a URL may carry of them: its user and its query.
    """
    return {name: _without_secrets(value) for name, value in settings.model_dump(mode="json").items()}


def known_keys() -> tuple[str, ...]:
    """Every setting, levels joined by a dot.

    Returns
    -------
    tuple of str
    """
    return tuple(_known(Settings))


def _without_secrets(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return masked_url(value) if isinstance(value, str) else value


def _known(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _explain(problem: ValidationError) -> str:
    lines = [
        f"setting {'.'.join(str(part) for part in error['loc'])!r}: {error['msg']}"
        for error in problem.errors(include_input=False, include_url=False)
    ]
    return "; ".join(lines)
