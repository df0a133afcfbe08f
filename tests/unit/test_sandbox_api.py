"""The sandbox's HTTP: what it asks of a request, how it refuses, keys, faults and its own paths."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from worker.sandbox.app import Settings, create_app
from worker.sandbox.faults import Faults, Latency
from worker.sandbox.journal import CALLS_KEPT, Call, Journal
from worker.sandbox.requests import BODY_LIMIT, Credentials
from worker.sandbox.state import Rules

CONFIRM = {"cartId": "c", "orderId": "o", "items": [{"cartItemId": "i", "itemReservationId": "r"}]}
RELEASE = {"cartId": "c", "items": [{"cartItemId": "i", "itemReservationId": "r"}]}
HEADERS = {"rokt-api-key": "secret-key", "rokt-tag-id": "tag", "rokt-session-id": "secret-session"}


class Api:
    def __init__(self, settings: Settings | None = None) -> None:
        self.now = 1000.0
        self.app: Starlette = create_app(settings or Settings(), clock=lambda: self.now)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://rokt") as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    def post(self, path: str, json: Any = None, drop: str = "", key: str = "", **headers: str) -> httpx.Response:
        sent = {name: value for name, value in HEADERS.items() if name != drop}
        sent |= {"idempotency-key": key} if key else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, json=json, headers=sent)

    def confirm(self, key: str = "", json: Any = None, **headers: str) -> httpx.Response:
        return self.post("/v1/Cart/confirm", json or CONFIRM, key=key, **headers)

    def order(self, **faults: Any) -> None:
        assert self.send("PUT", "/sandbox/faults", json=faults).status_code == 200

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.send("GET", "/sandbox/state?summary=1").json()["summary"]
        return summary


@pytest.fixture
def api() -> Api:
    return Api()


def code(response: httpx.Response) -> str:
    answer = response.json()
    assert set(answer) == {"description", "errors"}
    assert set(answer["errors"][0]) == {"code", "message", "value"}
    return str(answer["errors"][0]["code"])


def test_both_spellings_of_every_path_are_served(api: Api) -> None:
    for path in ("/v1/Cart/reserve", "/v1/cart/reserve"):
        assert api.post(path, {"cartId": "c", "items": [{"cartItemId": "i", "quantity": 2}]}).status_code == 200
    for cart, cancel in (("Cart", "Confirmation"), ("cart", "confirmation")):
        assert api.post(f"/v1/{cart}/release", {"cartId": "c", "items": []}).status_code == 200
        assert api.confirm(json={**CONFIRM, "items": [{"cartItemId": "i", "itemReservationId": cart}]}).is_success
        answer = api.post(f"/v1/{cancel}/cancel", {"itemReservationId": cart})
        assert (answer.status_code, answer.content) == (200, b"")
    for path in ("/v1/Placements/any", "/v1/placements/any"):
        assert api.post(path, {"cartId": "c", "pageIdentifier": "checkout"}).json() == {"result": True}


@pytest.mark.parametrize(
    ("body", "result"),
    [({}, True), ({"pageIdentifier": "checkout"}, True), ({"pageIdentifier": "empty-checkout"}, False)],
)
def test_there_is_a_placement_on_every_page_that_is_not_marked(api: Api, body: dict[str, str], result: bool) -> None:
    assert api.post("/v1/Placements/any", body).json() == {"result": result}


def test_an_empty_marker_is_in_no_page() -> None:
    api = Api(Settings(rules=Rules(empty_pages="")))
    assert api.post("/v1/Placements/any", {"pageIdentifier": "empty-checkout"}).json() == {"result": True}


def test_a_confirm_is_answered_item_by_item(api: Api) -> None:
    answer = api.confirm().json()
    assert (answer["cartId"], answer["orderId"]) == ("c", "o")
    assert set(answer["items"][0]) == {
        *("cartItemId", "itemReservationId", "itemConfirmationId", "itemConfirmationUrl", "success")
    }


def test_a_missing_or_wrong_api_key_is_answered_401_without_a_body() -> None:
    api = Api(Settings(credentials=Credentials(api_key="right")))
    for answer in (api.confirm(), api.post("/v1/Cart/confirm", CONFIRM, drop="rokt-api-key")):
        assert (answer.status_code, answer.content) == (401, b"")
    assert api.confirm(rokt_api_key="right").status_code == 200


def test_another_tag_id_than_the_configured_one_is_forbidden() -> None:
    api = Api(Settings(credentials=Credentials(tag_id="mine")))
    assert (api.confirm().status_code, code(api.confirm())) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("path", "json", "header"),
    [
        ("/v1/Cart/confirm", CONFIRM, "rokt-tag-id"),
        ("/v1/Cart/confirm", CONFIRM, "rokt-session-id"),
        ("/v1/Cart/release", RELEASE, "rokt-tag-id"),
        ("/v1/Cart/release", RELEASE, "rokt-session-id"),
        ("/v1/Placements/any", {}, "rokt-tag-id"),
    ],
)
def test_a_required_header_that_is_missing_is_named(api: Api, path: str, json: Any, header: str) -> None:
    answer = api.post(path, json, drop=header)
    assert (answer.status_code, code(answer)) == (400, "MissingHeader")
    assert answer.json()["errors"][0]["value"] == {"header": header}


def test_a_confirm_without_items_needs_no_session(api: Api) -> None:
    answer = api.post("/v1/Cart/confirm", {"cartId": "c", "orderId": "o", "items": []}, drop="rokt-session-id")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"cartId": ""}, "$.cartId"),
        ({"orderId": 7}, "$.orderId"),
        ({"merchantId": None}, "$.merchantId"),
        ({"attributes": {"a": 1}}, "$.attributes[...]"),
        ({"items": [{"cartItemId": "i"}]}, "$.items[0]"),
        ({"items": [{"itemReservationId": "r"}]}, "$.items[0]"),
        ({"items": [{"cartItemId": "i", "quantity": "1"}]}, "$.items[0].quantity"),
        ({"items": [{"cartItemId": "i", "quantity": 1.5}]}, "$.items[0].quantity"),
        ({"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": "19.99"}]}, "$.items[0].unitPrice"),
        ({"items": [{"cartItemId": "i", "quantity": 1, "totalPrice": True}]}, "$.items[0].totalPrice"),
    ],
)
def test_a_wrong_field_is_answered_400_with_where_it_is(api: Api, change: Any, path: str) -> None:
    answer = api.confirm(json={**CONFIRM, **change})
    assert (answer.status_code, code(answer)) == (400, "InvalidBody")
    assert answer.json()["errors"][0]["value"] == {"path": path}
    assert api.summary()["reservations"]["confirmed"] == 0


def test_a_body_that_is_no_json_or_too_long_or_of_another_type_is_refused(api: Api) -> None:
    headers = {**HEADERS, "content-type": "application/json"}
    for content, status in ((b"{", 400), (b"\xff", 400), (b'{"cartId": NaN}', 400), (b" " * (BODY_LIMIT + 1), 413)):
        answer = api.send("POST", "/v1/Cart/confirm", content=content, headers=headers)
        assert (answer.status_code, bool(code(answer))) == (status, True)
    assert api.confirm(content_type="text/plain").status_code == 415
    assert api.confirm(content_type="application/json; charset=utf-8").status_code == 200
    assert api.confirm(accept="text/html").status_code == 406
    assert api.confirm(accept="text/html, application/*;q=0.5").status_code == 200


def test_unknown_paths_and_other_methods_are_answered_in_the_error_form(api: Api) -> None:
    wrong = api.send("GET", "/v1/Cart/confirm")
    assert (wrong.status_code, code(wrong), wrong.headers["allow"]) == (405, "MethodNotAllowed", "POST")
    assert (api.post("/v1/Cart/buy").status_code, code(api.post("/v1/Cart/buy"))) == (404, "NotFound")


def test_a_key_that_was_processed_is_a_conflict_bare_or_quoted_until_it_is_forgotten(api: Api) -> None:
    assert api.confirm("k").status_code == 200
    assert (api.confirm("k").status_code, code(api.confirm('"k"'))) == (409, "Conflict")
    assert (api.summary()["conflicts"], api.summary()["double_effects"]) == (2, 0)
    api.now += 10_800
    assert api.summary()["keys_remembered"] == 0
    assert api.confirm("k").status_code == 200
    assert api.summary()["double_effects"] == 1


def test_without_a_key_nothing_is_remembered(api: Api) -> None:
    assert (api.confirm().status_code, api.confirm().status_code) == (200, 200)
    assert api.summary()["keys_remembered"] == 0


def test_a_refused_key_is_remembered_after_400_and_422_only(api: Api) -> None:
    assert [api.confirm("a", {"cartId": "c"}).status_code, api.confirm("a").status_code] == [400, 409]
    cancel = "/v1/Confirmation/cancel", {"itemReservationId": "r"}
    assert [api.post(*cancel, key="b").status_code for _ in range(2)] == [422, 409]
    assert [api.confirm("c", rokt_api_key="").status_code, api.confirm("c").status_code] == [401, 200]
    for status in (403, 429, 503):
        api.order(errors={status: 1})
        assert api.confirm(f"d{status}").status_code == status
        api.order()
        assert api.confirm(f"d{status}").status_code == 200


def test_a_reset_before_leaves_no_trace_and_one_after_leaves_its_effect(api: Api) -> None:
    for fault, status in (("reset_before", 200), ("reset_after", 409)):
        api.order(**{fault: 1})
        with pytest.raises(ConnectionResetError):
            api.confirm(fault)
        api.order()
        assert api.confirm(fault).status_code == status
    assert api.summary()["double_effects"] == 1


def test_a_time_out_holds_the_call_and_then_cuts_it(api: Api) -> None:
    for fault, status in (("timeout_before", 200), ("timeout_after", 409)):
        api.order(**{fault: 1, "hang_seconds": 0.001})
        with pytest.raises(ConnectionResetError):
            api.confirm(fault)
        api.order()
        assert api.confirm(fault).status_code == status


def test_an_error_after_has_done_what_was_asked(api: Api) -> None:
    api.order(errors_after={504: 1})
    assert api.confirm("k").status_code == 504
    api.order()
    assert api.confirm("k").status_code == 409
    assert api.summary()["reservations"]["confirmed"] == 1


def test_retry_after_comes_with_429_and_503_and_in_an_outage(api: Api) -> None:
    api.order(errors={429: 1}, retry_after=7)
    assert api.confirm().headers["retry-after"] == "7"
    api.order(outage={"seconds": 60}, retry_after=7)
    assert (api.confirm().status_code, api.confirm().headers["retry-after"]) == (503, "7")
    api.now += 60
    assert api.confirm().status_code == 200


def test_faults_for_some_carts_reach_the_cancel_of_their_items(api: Api) -> None:
    api.confirm()
    api.order(errors={500: 1}, only_carts="c")
    assert api.post("/v1/Confirmation/cancel", {"itemReservationId": "r"}).status_code == 500
    assert api.post("/v1/Confirmation/cancel", {"itemReservationId": "other"}).status_code == 422


def test_the_own_paths_are_never_subject_to_faults() -> None:
    api = Api(Settings(faults=Faults(reset_before=1, latency=Latency(seconds=3600.0))))
    assert api.send("GET", "/sandbox/faults").json()["reset_before"] == 1
    assert api.send("DELETE", "/sandbox/faults").status_code == 204
    assert api.send("GET", "/sandbox/faults").json()["reset_before"] == 0
    assert api.confirm().status_code == 200


def test_a_wrong_order_of_faults_is_refused_and_changes_nothing(api: Api) -> None:
    api.order(reset_before=0.5)
    answer = api.send("PUT", "/sandbox/faults", json={"reset_before": 2})
    assert (answer.status_code, code(answer)) == (400, "InvalidFaults")
    assert "reset_before" in answer.json()["description"]
    assert api.send("GET", "/sandbox/faults").json()["reset_before"] == 0.5


def test_the_state_tells_what_was_done_to_every_reservation_and_how_often(api: Api) -> None:
    api.confirm("k")
    api.post("/v1/Cart/release", RELEASE)
    api.post("/v1/Confirmation/cancel", {"itemReservationId": "r"})
    state = api.send("GET", "/sandbox/state").json()
    assert state["totals"] == {"confirm": {"200": 1}, "release": {"200": 1}, "cancel": {"200": 1}}
    assert state["orders"]["o"] == {"cart_id": "c", "confirms": 1, "empty_confirms": 0}
    kept = state["reservations"]["r"]
    assert (kept["state"], kept["cart_id"], kept["order_id"]) == ("cancelled", "c", "o")
    assert (kept["confirms"], kept["cancels"], kept["releases"], kept["refusals"]) == (1, 1, 0, 1)
    assert [(step["operation"], step["success"], step["state"]) for step in kept["history"]] == [
        ("confirm", True, "confirmed"),
        ("release", False, "confirmed"),
        ("cancel", True, "cancelled"),
    ]
    assert state["summary"]["release_of_confirmed"] == 1
    assert state["summary"]["requests"] == 3


def test_the_calls_can_be_read_on_from_a_number(api: Api) -> None:
    api.confirm("k", traceparent="00-abc-def-01")
    api.order(errors={503: 1})
    api.confirm("l")
    first, second = api.send("GET", "/sandbox/calls").json()["calls"]
    assert first == {
        "sequence": 1,
        "time": 1000.0,
        "operation": "confirm",
        "cart_id": "c",
        "reservation_ids": ["r"],
        "key": "k",
        "status": 200,
        "applied": True,
        "fault": None,
        "traceparent": "00-abc-def-01",
    }
    assert (second["status"], second["applied"], second["fault"]) == (503, False, "status")
    answer = api.send("GET", "/sandbox/calls?after=1&limit=5").json()
    assert (answer["calls"], answer["last"]) == ([second], 2)
    assert api.send("GET", "/sandbox/calls?after=x").status_code == 400


def test_the_log_of_calls_is_bounded_while_the_totals_go_on() -> None:
    journal = Journal()
    for number in range(1, CALLS_KEPT + 11):
        journal.record(Call(number, 0.0, "cancel", "", (), None, 200, True, None, None))
    assert [call.sequence for call in journal.after(0, 2)] == [11, 12]
    assert [call.sequence for call in journal.after(CALLS_KEPT + 9, 5)] == [CALLS_KEPT + 10]
    assert journal.totals() == {"cancel": {"200": CALLS_KEPT + 10}}


def test_a_reset_of_the_sandbox_forgets_everything_but_the_faults(api: Api) -> None:
    api.confirm("k")
    api.order(only_carts="x")
    assert api.send("POST", "/sandbox/reset").status_code == 204
    summary = api.summary()
    assert (summary["requests"], summary["keys_remembered"], summary["reservations"]["confirmed"]) == (0, 0, 0)
    assert api.send("GET", "/sandbox/faults").json()["only_carts"] == "x"


def test_credentials_sessions_attributes_and_prices_are_never_told(api: Api) -> None:
    item = {"cartItemId": "i", "itemReservationId": "r", "unitPrice": 4242.42}
    api.confirm(json={**CONFIRM, "items": [item], "attributes": {"email": "secret-mail"}})
    told = api.send("GET", "/sandbox/state").text + api.send("GET", "/sandbox/calls").text
    assert "confirm" in told
    assert "secret" not in told
    assert "4242" not in told


def test_the_same_seed_and_calls_give_the_same_answers() -> None:
    settings = Settings(seed=3, faults=Faults(errors={503: 0.5}))
    runs = [
        [(api.confirm().status_code, api.confirm().text) for _ in range(5)] for api in (Api(settings), Api(settings))
    ]
    assert runs[0] == runs[1]
