"""Settings from the environment and `.env`, typed and in one place.

Paths hang below `LEAK_ASSETS_HOME` (default: the working folder). Secrets come only from the
environment, are held as `SecretStr` and never printed.
"""

from datetime import date
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from leak_assets.errors import InputError

# First day of all partitions; readings before it go to quarantine. Later than most exports
# reach back, and 3,000 days x 30 networks stay under Dagster's 100,000 partitions of an asset.
FIRST_DAY = date(2018, 1, 1)


class Settings(BaseSettings):
    """All knobs of the platform; every one has a default that works offline."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    home: Path = Field(Path(), validation_alias="LEAK_ASSETS_HOME")

    # One machine needs none of these. Several share a warehouse folder, Postgres and a lock.
    dagster_postgres_url: SecretStr | None = Field(None, validation_alias="DAGSTER_POSTGRES_URL")
    executor: Literal["in_process", "multiprocess"] = Field(
        "multiprocess", validation_alias="LEAK_ASSETS_EXECUTOR"
    )
    lock: str = Field("file", validation_alias="LEAK_ASSETS_LOCK")

    # Summaries: any OpenAI-compatible server. No base URL means the template writes them.
    openai_api_base: str | None = Field(None, validation_alias="OPENAI_API_BASE")
    openai_api_key: SecretStr = Field(SecretStr("unknown"), validation_alias="OPENAI_API_KEY")
    llm_model_name: str = Field("llama-2-7b-chat.Q4_0.gguf", validation_alias="MODEL_NAME")
    llm_temperature: float = Field(0.1, validation_alias="TEMPERATURE", ge=0, le=2)
    llm_max_tokens: int = Field(2048, validation_alias="MAX_TOKENS", ge=1)
    llm_timeout_s: float = Field(60.0, validation_alias="LLM_TIMEOUT_S", gt=0)
    llm_streaming: bool = Field(False, validation_alias="LLM_STREAMING")

    # Of plants: a summary at the latest after so many seconds with anomalies, which lists so many.
    summary_interval_s: float = Field(60.0, validation_alias="SUMMARY_INTERVAL", gt=0)
    max_buffer_size: int = Field(50, validation_alias="MAX_BUFFER_SIZE", ge=1)

    # The detection method whose leaks become incidents; the others write their hypotheses beside.
    # Default: the one that raises fewer false incidents in years without leaks.
    incident_method: str = Field("likelihood", validation_alias="INCIDENT_METHOD")

    # Where Dagster's user interface is reached: audits link runs and assets to it.
    dagster_ui_url: str = Field("http://127.0.0.1:3000", validation_alias="DAGSTER_UI_URL")

    # How long after a day was first published late rows still change it by themselves; later ones
    # stay in the raw log until `leak-assets backfill` takes them in. A month's bills are closed.
    correction_window_days: float = Field(
        30, validation_alias="CORRECTION_WINDOW_DAYS", ge=0, le=36_500
    )

    # When a challenger in shadow mode may go into use: so many days scored beside the model in use,
    # and at most this share of windows answered differently. `automatic` promotes it then.
    model_promotion: Literal["manual", "automatic"] = Field(
        "manual", validation_alias="MODEL_PROMOTION"
    )
    shadow_min_days: int = Field(7, validation_alias="SHADOW_MIN_DAYS", ge=0, le=366)
    shadow_most_disagreement: float = Field(
        0.05, validation_alias="SHADOW_MOST_DISAGREEMENT", ge=0, le=1
    )

    # Retention, in days before a site's newest reading. What is removed can be made again; raw
    # readings, results and decisions are kept for ever.
    interim_retention_days: int = Field(
        400, validation_alias="INTERIM_RETENTION_DAYS", ge=7, le=36_500
    )
    # In days since a revision was replaced: all of them, then the last one of each day, then none.
    history_full_days: int = Field(30, validation_alias="HISTORY_FULL_DAYS", ge=0, le=36_500)
    history_retention_days: int = Field(
        1100, validation_alias="HISTORY_RETENTION_DAYS", ge=0, le=36_500
    )
    # Who speaks where no command says it; by default the login.
    user: str | None = Field(None, validation_alias="LEAK_ASSETS_USER")

    # Notifications: none unless a sink is named. Address and token may be secrets.
    notify_webhook_url: SecretStr | None = Field(None, validation_alias="NOTIFY_WEBHOOK_URL")
    notify_webhook_token: SecretStr | None = Field(None, validation_alias="NOTIFY_WEBHOOK_TOKEN")
    notify_timeout_s: float = Field(10.0, validation_alias="NOTIFY_TIMEOUT_S", gt=0, le=60)
    notify_folder: Path | None = Field(None, validation_alias="NOTIFY_FOLDER")
    escalate_after_hours: float = Field(24.0, validation_alias="ESCALATE_AFTER_HOURS", gt=0)

    # Economics: BattLeDIM's price of water; a utility sets its own.
    water_price_eur_per_m3: float = Field(
        0.80, validation_alias=AliasChoices("WATER_PRICE_EUR_PER_M3"), ge=0
    )

    # API: who may ask (hashes of keys; `leak-assets keys add` writes the file) and how often.
    api_keys_file: Path | None = Field(None, validation_alias="LEAK_ASSETS_API_KEYS_FILE")
    api_requests_per_minute: int = Field(
        6000, validation_alias="API_REQUESTS_PER_MINUTE", ge=1, le=1_000_000
    )

    # Streams: user and password of the broker, which stand in no URL or file; what may wait.
    source_username: str | None = Field(None, validation_alias="LEAK_ASSETS_SOURCE_USERNAME")
    source_password: SecretStr | None = Field(None, validation_alias="LEAK_ASSETS_SOURCE_PASSWORD")
    spool_most_mib: int = Field(1024, validation_alias="SPOOL_MOST_MIB", ge=1)

    @field_validator("notify_webhook_url")
    @classmethod
    def _webhook_is_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("only an http or https address can be notified")
        return value

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of the environment and `.env`.

        Raises
        ------
        InputError
            A value that cannot be used; names the variable. Its value may be a secret.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise InputError(
                f"setting {name}: {first['msg'][:1].lower()}{first['msg'][1:]}",
                remedy="Correct it in the environment or in `.env`",
            ) from error

    @property
    def warehouse_dir(self) -> Path:
        """Folder of the lake and of the view catalogue `leak.duckdb`."""
        return self.home.resolve() / "warehouse"

    @property
    def landing_dir(self) -> Path:
        """Landing zone: `landing/<network>/<file>`; taken files go to `<network>/done/<day>/`."""
        return self.home.resolve() / "var" / "landing"

    @property
    def spool_dir(self) -> Path:
        """Batches of streams that wait to be taken: `spool/<source>/<network>/<batch>.parquet`."""
        return self.home.resolve() / "var" / "spool"

    @property
    def networks_dir(self) -> Path:
        """Copies of the network models and settings that users registered by path."""
        return self.home.resolve() / "var" / "networks"

    @property
    def sites_dir(self) -> Path:
        """Descriptions of the sites without a model that users registered: `<name>.yaml`."""
        return self.home.resolve() / "var" / "sites"

    @property
    def models_dir(self) -> Path:
        """Packages of models: `MODELS/<model>/<version>/`."""
        return self.home.resolve() / "MODELS"

    @property
    def drafts_dir(self) -> Path:
        """Trained models that are not exported yet: `var/training/<model>/<version>/`."""
        return self.home.resolve() / "var" / "training"

    @property
    def configs_dir(self) -> Path:
        """What takes the place of packaged configurations: `<model>.yaml`, `readings.yaml`."""
        return self.home.resolve() / "configs"

    @property
    def reports_dir(self) -> Path:
        """HTML reports and data-validation pages."""
        return self.home.resolve() / "var" / "reports"

    @property
    def cache_dir(self) -> Path:
        """Results by the hash of what they follow from; may be deleted at any time."""
        return self.home.resolve() / "var" / "cache"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage (runs, event log, schedules)."""
        return self.home.resolve() / "var" / "dagster"
