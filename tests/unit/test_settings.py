"""Settings: from three places, and a sentence for each wrong one that never holds a secret."""

import os
from pathlib import Path

import pytest

from worker.errors import SettingsError
from worker.loading import load
from worker.settings import Settings, setting_name

CANARY = "canary-7f3a"
NEEDED = {
    "WORKER_KAFKA__BOOTSTRAP_SERVERS": "broker:9092",
    "WORKER_ROKT__API_KEY": "key",
    "WORKER_ROKT__TAG_ID": "tag",
}
NAMED_IN_THE_CONTRACT = {
    "WORKER_KAFKA__BOOTSTRAP_SERVERS": "a:1,b:2",
    "WORKER_KAFKA__GROUP_ID": "another",
    "WORKER_KAFKA__PROPERTIES": '{"security.protocol": "SASL_SSL", "group.protocol": "consumer"}',
    "WORKER_TOPICS__CHECKOUT_COMPLETED": "a,b",
    "WORKER_TOPICS__ORDER_CANCELLED": "c",
    "WORKER_TOPICS__CART_ABANDONED": "d",
    "WORKER_TOPICS__OUTCOMES": "outcomes",
    "WORKER_TOPICS__DEAD_LETTER_SUFFIX": "-dead",
    "WORKER_REGISTRY__URL": "http://registry:8081",
    "WORKER_REGISTRY__USERNAME": "me",
    "WORKER_REGISTRY__PASSWORD": "secret",
    "WORKER_ROKT__BASE_URL": "http://localhost:8080/rokt",
    "WORKER_ROKT__API_KEY": "key",
    "WORKER_ROKT__TAG_ID": "tag",
    "WORKER_ROKT__ACCEPT_LANGUAGE": "en-US",
    "WORKER_ROKT__TIMEOUT_SECONDS": "2.5",
    "WORKER_ROKT__MAX_CONCURRENCY": "8",
    "WORKER_ROKT__MAX_CALLS_PER_SECOND": "50",
    "WORKER_RETRY__MAX_ATTEMPTS": "5",
    "WORKER_RETRY__INITIAL_SECONDS": "0.2",
    "WORKER_RETRY__MAX_SECONDS": "20",
    "WORKER_LEDGER__URL": "postgresql://user:password@db/ledger",
    "WORKER_LEDGER__RETENTION_DAYS": "60",
    "WORKER_CANCEL__WAIT_SECONDS": "45",
    "WORKER_SHUTDOWN__DRAIN_SECONDS": "10",
    "WORKER_HEALTH__PORT": "8081",
    "WORKER_LOG__FORMAT": "console",
}


def given(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    for name, value in (NEEDED | more).items():
        monkeypatch.setenv(name, value)
    return load(os.environ)


def refused(monkeypatch: pytest.MonkeyPatch, **more: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        given(monkeypatch, **more)
    return error.value.problems


def problem(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    (told,) = refused(monkeypatch, **{name: value})
    assert told.startswith(f"{name}: ")
    return told


def test_only_the_brokers_and_the_credentials_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch)
    assert settings.kafka.bootstrap_servers == "broker:9092"
    assert settings.kafka.group_id == "rokt-worker"
    assert settings.topics.checkout_completed == ("checkout-completed",)
    assert settings.topics.order_cancelled == ("order-cancelled",)
    assert settings.topics.cart_abandoned == ("cart-abandoned",)
    assert settings.topics.outcomes == "rokt-outcomes"
    assert settings.topics.dead_letter_suffix == ".dlq"
    assert settings.rokt.base_url == "https://api.rokt.com"


@pytest.mark.parametrize("name", NAMED_IN_THE_CONTRACT)
def test_every_setting_that_the_contract_names_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    given(monkeypatch, **{name: NAMED_IN_THE_CONTRACT[name]})


def test_all_settings_that_the_contract_names_are_accepted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, **NAMED_IN_THE_CONTRACT)
    assert settings.kafka.properties == {"security.protocol": "SASL_SSL", "group.protocol": "consumer"}
    assert settings.topics.checkout_completed == ("a", "b")
    assert settings.rokt.api_key.get_secret_value() == "key"
    assert settings.rokt.timeout_seconds == 2.5
    assert settings.retry.max_attempts == 5
    assert settings.ledger.url.get_secret_value() == "postgresql://user:password@db/ledger"
    assert settings.health.port == 8081


@pytest.mark.parametrize("port", ["0", "65535"])
def test_a_port_of_0_is_off_and_no_mistake(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    assert given(monkeypatch, WORKER_HEALTH__PORT=port).health.port == int(port)


@pytest.mark.parametrize("listed", ["a,b", " a , b ", "a,b,", ",a,,b"])
def test_topics_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    assert given(monkeypatch, WORKER_TOPICS__ORDER_CANCELLED=listed).topics.order_cancelled == ("a", "b")


@pytest.mark.parametrize("name", NEEDED)
def test_a_needed_setting_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in NEEDED.keys() - {name}:
        monkeypatch.setenv(other, NEEDED[other])
    with pytest.raises(SettingsError) as error:
        load(os.environ)
    (told,) = error.value.problems
    assert told.startswith(f"{name}: ")
    assert "not set" in told


def test_with_nothing_set_everything_that_is_needed_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        load(os.environ)
    assert sorted(told.split(":")[0] for told in error.value.problems) == sorted(NEEDED)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("WORKER_KAFKA__PROPERTIES", "{", "JSON object"),
        ("WORKER_KAFKA__PROPERTIES", "[]", "JSON object"),
        ("WORKER_KAFKA__PROPERTIES", '{"a": {}}', "JSON object"),
        ("WORKER_KAFKA__PROPERTIES", '{"a": null}', "JSON object"),
        ("WORKER_KAFKA__PROPERTIES", '{"enable.auto.commit": true}', "enable.auto.commit"),
        ("WORKER_KAFKA__PROPERTIES", '{"group.id": "x"}', "group.id"),
    ],
)
def test_wrong_kafka_properties_are_told_without_showing_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    assert allowed in problem(monkeypatch, name, value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("WORKER_HEALTH__PORT", "70000", "65535"),
        ("WORKER_HEALTH__PORT", "-1", "0"),
        ("WORKER_HEALTH__PORT", "http", "integer"),
        ("WORKER_LOG__FORMAT", "xml", "console"),
        ("WORKER_LOG__LEVEL", "loud", "warning"),
        ("WORKER_ROKT__TIMEOUT_SECONDS", "0", "greater than 0"),
        ("WORKER_ROKT__TIMEOUT_SECONDS", "-1", "greater than 0"),
        ("WORKER_ROKT__TIMEOUT_SECONDS", "soon", "number"),
        ("WORKER_ROKT__TIMEOUT_SECONDS", "nan", "finite"),
        ("WORKER_ROKT__TIMEOUT_SECONDS", "inf", "finite"),
        ("WORKER_ROKT__MAX_CONCURRENCY", "0", "greater than 0"),
        ("WORKER_ROKT__MAX_CONCURRENCY", "1.5", "integer"),
        ("WORKER_ROKT__MAX_CALLS_PER_SECOND", "0", "greater than 0"),
        ("WORKER_ROKT__BASE_URL", "api.rokt.com", "http"),
        ("WORKER_ROKT__BASE_URL", "ftp://api.rokt.com", "http"),
        ("WORKER_ROKT__BASE_URL", "https://", "http"),
        ("WORKER_ROKT__BASE_URL", "https://host:99999", "http"),
        ("WORKER_ROKT__BASE_URL", "https://[::1", "http"),
        ("WORKER_ROKT__TAG_ID", "tag\u2603", "ASCII"),
        ("WORKER_ROKT__ACCEPT_LANGUAGE", "en\u2603", "ASCII"),
        ("WORKER_ROKT__CONFIRM_PATH", "v1/Cart/confirm", "/"),
        ("WORKER_ROKT__IDEMPOTENCY_KEY", "maybe", "quoted"),
        ("WORKER_RETRY__MAX_ATTEMPTS", "0", "1"),
        ("WORKER_RETRY__INITIAL_SECONDS", "0", "greater than 0"),
        ("WORKER_LEDGER__RETENTION_DAYS", "0", "greater than 0"),
        ("WORKER_CANCEL__WAIT_SECONDS", "-1", "0"),
        ("WORKER_SHUTDOWN__DRAIN_SECONDS", "-1", "0"),
        ("WORKER_TRACING__PRODUCER_CONTEXT", "child", "link"),
    ],
)
def test_a_wrong_value_is_told_with_its_name_what_was_given_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    told = problem(monkeypatch, name, value)
    assert repr(value) in told
    assert allowed in told.partition("allowed")[2]


def test_a_base_url_with_a_query_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    told = problem(monkeypatch, "WORKER_ROKT__BASE_URL", "https://host/?a=b")
    assert "https://host/" in told
    assert "query" in told.partition("allowed")[2]


@pytest.mark.parametrize("name", ["WORKER_TOPICS__CHECKOUT_COMPLETED", "WORKER_TOPICS__ORDER_CANCELLED"])
@pytest.mark.parametrize("value", ["", ",", " , "])
def test_an_empty_list_of_topics_is_wrong(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    problem(monkeypatch, name, value)


@pytest.mark.parametrize(
    "name", ["WORKER_KAFKA__BOOTSTRAP_SERVERS", "WORKER_KAFKA__GROUP_ID", "WORKER_ROKT__API_KEY", "WORKER_ROKT__TAG_ID"]
)
def test_an_empty_value_is_wrong_where_one_is_needed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    problem(monkeypatch, name, "")


def test_an_absurdly_long_value_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(problem(monkeypatch, "WORKER_HEALTH__PORT", "x" * 100_000)) < 500


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("WORKER_ROKT__APIKEY", "WORKER_ROKT__API_KEY"),
        ("WORKER_ROKT_API_KEY", "WORKER_ROKT__API_KEY"),
        ("WORKER_KAFKA__BOOTSTRAP_SERVER", "WORKER_KAFKA__BOOTSTRAP_SERVERS"),
        ("WORKER_TOPICS__CHECKOUT_COMPLETE", "WORKER_TOPICS__CHECKOUT_COMPLETED"),
        ("WORKER_RETRY__MAX_ATTEMPT", "WORKER_RETRY__MAX_ATTEMPTS"),
    ],
)
def test_an_unknown_setting_stops_the_start_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    told = problem(monkeypatch, name, CANARY)
    assert near in told.removeprefix(name)
    assert CANARY not in told


def test_an_unknown_setting_that_is_like_none_stops_the_start_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such setting" in problem(monkeypatch, "WORKER_ZZZ__QQQ", "1")


def test_a_whole_group_as_one_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ('{"port": 1}', "x", "5", "[]"):
        told = refused(monkeypatch, WORKER_HEALTH=value)
        assert any(one.startswith("WORKER_HEALTH: ") for one in told)


def test_every_wrong_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(monkeypatch, WORKER_HEALTH__PORT="x", WORKER_LOG__FORMAT="xml", WORKER_ROKT__APIKEY="z")
    assert {one.split(":")[0] for one in told} == {"WORKER_HEALTH__PORT", "WORKER_LOG__FORMAT", "WORKER_ROKT__APIKEY"}


def test_variables_of_others_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, WORKERS="5", MY_WORKER_X="1", OTEL_SERVICE_NAME="x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_ROKT__API_KEY", f"{CANARY}\u2603"),
        ("WORKER_ROKT__API_KEY", f" {CANARY}"),
        ("WORKER_ROKT__API_KEY", f"{CANARY}\nx"),
        ("WORKER_KAFKA__PROPERTIES", f'{{"sasl.password": "{CANARY}"'),
        ("WORKER_KAFKA__PROPERTIES", f'{{"sasl.password": ["{CANARY}"]}}'),
        ("WORKER_KAFKA__PROPERTIES", f'{{"group.id": "{CANARY}"}}'),
        ("WORKER_KAFKA__SECRET_PROPERTIES", f'{{"sasl.password": "{CANARY}"'),
        ("WORKER_KAFKA__SECRET_PROPERTIES", f'{{"acks": "{CANARY}"}}'),
        ("WORKER_ROKT__API__KEY", CANARY),
        ("WORKER_ROKT", f'{{"api_key": "{CANARY}"}}'),
        ("WORKER_ROKT__BASE_URL", f"https://user:{CANARY}@host"),
        ("WORKER_LEDGER__URL", f"mysql://user:{CANARY}@host/db"),
    ],
)
def test_no_secret_is_in_the_sentence_of_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as error:
        given(monkeypatch, **{name: value})
    assert CANARY not in str(error.value)
    assert CANARY not in repr(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_ROKT__BASE_URL", f"https://user:p@{CANARY}@host"),
        ("WORKER_ROKT__BASE_URL", f"https://user:p/{CANARY}@host"),
        ("WORKER_LEDGER__URL", f"mysql://user:p@{CANARY}@host/db"),
        ("WORKER_LEDGER__URL", f"mysql://user:p/{CANARY}@host/db"),
        ("WORKER_LEDGER__URL", f"postgres:user:{CANARY}@host/db"),
        ("WORKER_LEDGER__URL", f"mysql://host/db?user=me&password={CANARY}"),
    ],
)
def test_no_password_of_a_malformed_address_is_in_its_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert CANARY not in problem(monkeypatch, name, value)


def test_no_secret_is_in_the_settings_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(
        monkeypatch,
        WORKER_ROKT__API_KEY=CANARY,
        WORKER_REGISTRY__PASSWORD=CANARY,
        WORKER_REGISTRY__TOKEN=CANARY,
        WORKER_REGISTRY__KEY_PASSWORD=CANARY,
    )
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


def test_the_environment_comes_before_the_env_file_and_that_before_the_secrets_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("TAG_ID", "API_KEY", "BASE_URL"):
        (secrets / f"WORKER_ROKT__{name}").write_text("http://from-folder")
    env_file = tmp_path / "env"
    env_file.write_text("WORKER_ROKT__TAG_ID=from-file\nWORKER_ROKT__BASE_URL=http://from-file\n")
    monkeypatch.setenv("WORKER_ROKT__BASE_URL", "http://from-environment")
    monkeypatch.setenv("WORKER_KAFKA__BOOTSTRAP_SERVERS", "b:1")
    settings = load(os.environ, env_file, secrets)
    assert settings.rokt.base_url == "http://from-environment"
    assert settings.rokt.tag_id == "from-file"
    assert settings.rokt.api_key.get_secret_value() == "http://from-folder"


def test_a_secret_from_the_folder_may_end_with_a_line_break(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "WORKER_ROKT__API_KEY").write_text("from-folder\n")
    monkeypatch.setenv("WORKER_ROKT__TAG_ID", "t")
    monkeypatch.setenv("WORKER_KAFKA__BOOTSTRAP_SERVERS", "b:1")
    assert load(os.environ, None, tmp_path).rokt.api_key.get_secret_value() == "from-folder"


def test_a_secrets_folder_as_kubernetes_mounts_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = tmp_path / "..2026_11_22_10_00_00.123"
    real.mkdir()
    (real / "WORKER_ROKT__API_KEY").write_text("from-folder")
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "WORKER_ROKT__API_KEY").symlink_to("..data/WORKER_ROKT__API_KEY")
    monkeypatch.setenv("WORKER_ROKT__TAG_ID", "t")
    monkeypatch.setenv("WORKER_KAFKA__BOOTSTRAP_SERVERS", "b:1")
    assert load(os.environ, None, tmp_path).rokt.api_key.get_secret_value() == "from-folder"


def test_an_unknown_name_in_the_env_file_or_the_folder_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "WORKER_ROKT__APIKEY").write_text(CANARY)
    env_file = tmp_path / "env"
    env_file.write_text(f"WORKER_ROKT__TAGID={CANARY}\nOTHER=1\n")
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load(os.environ, env_file, secrets)
    assert {told.split(":")[0] for told in error.value.problems} == {"WORKER_ROKT__APIKEY", "WORKER_ROKT__TAGID"}
    assert CANARY not in str(error.value)


@pytest.mark.parametrize("name", ["WORKER_HEALTH__PORT", "WORKER_ROKT__API_KEY"])
def test_a_wrong_value_in_the_env_file_or_the_folder_is_named_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for needed in NEEDED.keys() - {name}:
        monkeypatch.setenv(needed, NEEDED[needed])
    monkeypatch.delenv(name, raising=False)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / name).write_text(f"{CANARY}\u2603")
    env_file = tmp_path / "env"
    env_file.write_text(f"{name}={CANARY}\u2603\n")
    for places in ((env_file, None), (None, secrets)):
        with pytest.raises(SettingsError) as error:
            load(os.environ, *places)
        (told,) = error.value.problems
        assert told.startswith(f"{name}: ")
        assert (CANARY in told) == (name == "WORKER_HEALTH__PORT" and places[0] is not None)


def test_a_file_or_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--env-file: .*nowhere"):
        load({}, tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"--secrets-dir: .*nowhere"):
        load({}, None, tmp_path / "nowhere")


def test_the_contracts_names_are_the_names_of_the_groups() -> None:
    assert setting_name("kafka", "group_id") == "WORKER_KAFKA__GROUP_ID"


def test_a_line_of_the_env_file_that_says_nothing_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    env_file = tmp_path / "env"
    env_file.write_text(f"OTHER=1\n'{CANARY} \n")
    with pytest.raises(SettingsError) as error:
        load(os.environ, env_file)
    assert error.value.problems == ["--env-file: line 2 is no NAME=value"]


@pytest.mark.parametrize("content", [b"\xff", b"x" * 17 * 2**20], ids=["no text", "too large"])
def test_a_file_that_cannot_be_read_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "WORKER_ROKT__API_KEY").write_bytes(content)
    with pytest.raises(SettingsError, match="--secrets-dir: cannot be read"):
        load(os.environ, None, tmp_path)
