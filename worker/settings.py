"""Every knob, by its name: environment variables `WORKER_<GROUP>__<NAME>`, an env file, a folder of secrets.

The environment comes before the env file, and that before the folder of secrets (one file a setting, named as it is).
An unknown or wrong setting is a SettingsError; a secret's value is in none of its sentences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from worker.allowed import (
    HeaderSecret,
    HeaderText,
    LedgerAddress,
    Names,
    PathText,
    Properties,
    TopicName,
    Topics,
    TraceLink,
    WebAddress,
)

PREFIX = "WORKER_"
DELIMITER = "__"
SOURCES = ("checkout_completed", "order_cancelled", "cart_abandoned")


class Group(BaseModel):
    """A group of settings; names outside of it are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)


class KafkaSettings(Group):
    """The cluster and how it is read. `secret_properties` come before `properties`."""

    bootstrap_servers: Annotated[str, Field(pattern=r"^\S+$")]
    group_id: Annotated[str, Field(min_length=1)] = "rokt-worker"
    instance_id: Annotated[str, Field(min_length=1)] | None = None
    properties: Properties = {}
    secret_properties: Annotated[Properties, Field(repr=False)] = {}
    batch_records: Annotated[int, Field(gt=0, le=10_000)] = 500
    poll_seconds: PositiveFloat = 0.02
    commit_seconds: PositiveFloat = 1.0
    delivery_seconds: Annotated[float, Field(ge=1, le=86_400)] = 30.0
    metadata_seconds: Annotated[float, Field(gt=0, le=3_600)] = 10.0
    commit_records: PositiveInt = 1_000
    max_gap_records: PositiveInt = 10_000
    max_under_way: PositiveInt = 5_000
    max_bytes: PositiveInt = 32 * 1024 * 1024
    stall_seconds: PositiveFloat = 60.0
    retention_check_seconds: PositiveFloat = 60.0
    retention_warn_share: Annotated[float, Field(ge=0, le=1)] = 0.25


class TopicSettings(Group):
    """Where events are read and results are written."""

    checkout_completed: Topics = ("checkout-completed",)
    order_cancelled: Topics = ("order-cancelled",)
    cart_abandoned: Topics = ("cart-abandoned",)
    outcomes: TopicName = "rokt-outcomes"
    transactions: TopicName = "rokt-transactions"
    dead_letter_suffix: TopicName = ".dlq"

    @field_validator("dead_letter_suffix", mode="after")
    @classmethod
    def _nothing_is_read_that_is_written(cls, suffix: str, info: ValidationInfo) -> str:
        given = info.data
        sources = {t for name in SOURCES for t in given.get(name, ())}
        written = {given.get("outcomes"), given.get("transactions"), *(source + suffix for source in sources)}
        if both := sources & written:
            raise ValueError(f"a topic cannot be read and written both: {', '.join(sorted(both))}")
        return suffix


class RegistrySettings(Group):
    """The schema registry; without a URL there is none, and only JSON is read and written."""

    url: Annotated[str, Field(min_length=1)] | None = None
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    logical_cluster: str = ""
    identity_pool: str | None = None
    ca_location: Path | None = None
    certificate_location: Path | None = None
    key_location: Path | None = None
    key_password: SecretStr | None = None
    timeout_seconds: PositiveFloat = 5.0
    auto_register: bool = True


class RoktSettings(Group):
    """Rokt's API and our credentials for it."""

    base_url: WebAddress = "https://api.rokt.com"
    api_key: HeaderSecret
    tag_id: HeaderText
    credentials_seconds: PositiveFloat = 5.0
    accept_language: HeaderText | None = None
    idempotency_key: Literal["bare", "quoted", "off"] = "bare"
    confirm_path: PathText = "/v1/Cart/confirm"
    release_path: PathText = "/v1/Cart/release"
    cancel_path: PathText = "/v1/Confirmation/cancel"
    placements_path: PathText = "/v1/Placements/any"
    ca_location: Path | None = None
    timeout_seconds: PositiveFloat = 10.0
    connect_timeout_seconds: PositiveFloat = 3.0
    read_timeout_seconds: PositiveFloat | None = None
    write_timeout_seconds: PositiveFloat = 5.0
    pool_timeout_seconds: PositiveFloat | None = None
    keepalive_seconds: PositiveFloat = 30.0
    max_concurrency: PositiveInt = 64
    max_response_bytes: PositiveInt = 4 * 1024 * 1024
    max_calls_per_second: PositiveFloat | None = None


class RetrySettings(Group):
    """Waits between attempts, in seconds; exponential with full jitter."""

    initial_seconds: PositiveFloat = 0.1
    max_seconds: PositiveFloat = 30.0
    max_retry_after_seconds: PositiveFloat = 60.0
    denied_initial_seconds: PositiveFloat = 1.0
    denied_max_seconds: PositiveFloat = 60.0
    max_attempts: Annotated[int, Field(ge=1)] = 8


class CircuitSettings(Group):
    """When to stop for an outage: intervals between probes, in seconds; rejections in a row, 0 is never."""

    probe_initial_seconds: PositiveFloat = 1.0
    probe_max_seconds: PositiveFloat = 5.0
    rejections: Annotated[int, Field(ge=0)] = 50


class LedgerSettings(Group):
    """The ledger of calls. `lease_seconds`: how long a call stays its crashed worker's; None derives it from Rokt's."""

    url: LedgerAddress = SecretStr("sqlite:///ledger.db")
    retention_days: PositiveInt = 30
    lease_seconds: PositiveFloat | None = None
    timeout_seconds: PositiveFloat = 5.0
    connections: Annotated[int, Field(ge=1, le=64)] = 4
    group_requests: Annotated[int, Field(ge=1, le=5_000)] = 256
    synchronous: Literal["full", "normal"] = "full"
    prune_seconds: PositiveFloat = 60.0


class CancelSettings(Group):
    """How long a cancel waits for its confirm."""

    wait_seconds: Annotated[float, Field(ge=0)] = 30.0


class ShutdownSettings(Group):
    """How long events in hand may take to settle after SIGTERM, or when their partition is revoked."""

    drain_seconds: Annotated[float, Field(ge=0)] = 20.0


class HealthSettings(Group):
    """Where `/livez` and `/readyz` are answered; port 0 is off."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104 - a probe comes from outside
    port: Annotated[int, Field(ge=0, le=65535)] = 0


class LogSettings(Group):
    """How the log is written, on standard error."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class TracingSettings(Group):
    """What the producer's trace context is to ours; where people look at a trace. All else is set by OTEL_*."""

    producer_context: Literal["parent", "link"] = "parent"
    link: TraceLink | None = None


class TransactionsSettings(Group):
    """The endpoint that Rokt's Transaction Export calls. Each way in is open when its settings are there."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104 - Rokt comes from outside
    port: Annotated[int, Field(ge=1, le=65535)] = 8090
    path: PathText = "/v1/transactions"
    identity: Names = ("transactionId",)
    fields_file: Path | None = None
    api_key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    token_seconds: Annotated[int, Field(ge=60, le=86_400)] = 3_600
    open: bool = False
    max_body_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 64 * 1024
    max_headers: Annotated[int, Field(ge=8, le=1_000)] = 64
    max_requests_per_second: PositiveFloat | None = None
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    read_seconds: PositiveFloat = 10.0
    certificate_location: Path | None = None
    key_location: Path | None = None
    public_url: WebAddress | None = None
    test_url: WebAddress | None = None
    contact: str | None = None


class Settings(BaseSettings):
    """All of them. Made by `loading.load`, which also refuses unknown ones."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        secrets_dir_missing="error",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings
    topics: TopicSettings = TopicSettings()
    registry: RegistrySettings = RegistrySettings()
    rokt: RoktSettings
    retry: RetrySettings = RetrySettings()
    circuit: CircuitSettings = CircuitSettings()
    ledger: LedgerSettings = LedgerSettings()
    cancel: CancelSettings = CancelSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    transactions: TransactionsSettings = TransactionsSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, the env file, the folder of secrets; what comes first counts."""
        return env_settings, dotenv_settings, NestedSecretsSettingsSource(file_secret_settings)


def groups() -> dict[str, type[BaseModel]]:
    """The groups by their names."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def setting_name(group: str, name: str) -> str:
    """The variable of a setting: `WORKER_KAFKA__GROUP_ID`."""
    return f"{PREFIX}{group}{DELIMITER}{name}".upper()
