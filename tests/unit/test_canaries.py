"""The search for what must not be said finds it, however it is written; else it would prove nothing."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote_plus

import pytest

from infra.canaries import EVERYTHING, HEADERS, KEY, TO_ROKT, UNIT_PRICE, found


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_whatever_is_planted_is_found(name: str, before: str) -> None:
    value = EVERYTHING[name]
    around = f"{before}{value} behind"
    for planted in (
        around,
        around.upper(),
        repr(around.encode()),
        json.dumps({"event": around}),
        around.encode().hex(),
        base64.b64encode(around.encode()).decode(),
        quote_plus(f"{before}={value}", safe="="),
    ):
        assert name in found(planted), planted


@pytest.mark.parametrize("written", ["74319853.27", "74319853.2700", "74,319,853.27", "74319853,27", "7431985327"])
def test_a_price_is_found_in_every_writing(written: str) -> None:
    assert found(f"it was {written} EUR") == {"the unit price"}
    assert UNIT_PRICE not in found("it was 74319853 EUR")


def test_what_is_not_there_is_not_found() -> None:
    assert found("cart fine, order order-fine, 0af7651916cd43dd8448eb211c80319c") == set()
    assert found(KEY) == {"the record's key"}
    assert found(f"{HEADERS}", TO_ROKT) == set()
