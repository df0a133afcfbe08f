"""Secrets and personal data that nobody has, and a search for them, however they are written."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import quote, quote_plus

API_KEY: Final = "cnry-api-key-51c0"
OTLP_KEY: Final = "cnry-otlp-key-62d1"
SASL_PASSWORD: Final = "cnry-sasl-password-73e2"
REGISTRY_PASSWORD: Final = "cnry-registry-password-84f3"
LEDGER_PASSWORD: Final = "cnry-ledger-password-9504"
SECRETS: Final = {
    "the API key": API_KEY,
    "the collector's key": OTLP_KEY,
    "the brokers' password": SASL_PASSWORD,
    "the registry's password": REGISTRY_PASSWORD,
    "the ledger's password": LEDGER_PASSWORD,
}

ATTRIBUTES: Final = {"email": "cnry.mail+77@example.org", "name": "Cnry Nomen-77", "cnryTrait": "cnry-value-a615"}
SESSION: Final = "cnry-session-b726"
LOCALE: Final = "zz-cnrytal7"
PAYPAL_ORDER: Final = "cnry-paypal-c837"
MERCHANT: Final = "cnry-merchant-d948"
UNIT_PRICE: Final = "74319853.27"
TOTAL_PRICE: Final = "82460917.5"
TO_ROKT: Final = {
    **{f"the attribute {name}": value for name, value in ATTRIBUTES.items()},
    "an attribute's name": "cnryTrait",
    "the session": SESSION,
    "the language": LOCALE,
    "PayPal's id": PAYPAL_ORDER,
    "the merchant": MERCHANT,
    "the unit price": UNIT_PRICE,
    "the total price": TOTAL_PRICE,
}
"""What Rokt is told of a customer."""

KEY: Final = "cnry.key+88@example.org"
TOKEN: Final = "cnry-shop-token-ea59"
SHOP: Final = "cnry-shop-fb6a"
SHOPPER: Final = "cnry.baggage+99@example.org"
HEADERS: Final = (("authorization", f"Bearer {TOKEN}"), ("x-shop", SHOP), ("baggage", f"user={SHOPPER}"))
MALFORMED: Final = "cnry-malformed-0c7b"
IN_RECORDS: Final = {
    "the record's key": KEY,
    "the authorization of a record": TOKEN,
    "a header of a record": SHOP,
    "the baggage": SHOPPER,
    "what is malformed": MALFORMED,
}
"""What stands in the shop's records and is for nobody else."""

EVERYTHING: Final = {**SECRETS, **TO_ROKT, **IN_RECORDS}


def found(said: str | bytes, canaries: Mapping[str, str] = EVERYTHING) -> set[str]:
    """The names of those that are in it, as they are or encoded."""
    text = (said.decode("utf-8", "replace") if isinstance(said, bytes) else said).casefold()
    return {name for name, value in canaries.items() if any(each.casefold() in text for each in writings(value))}


def writings(value: str) -> Iterator[str]:
    """How a value may be written: base64 has three, by where it begins; a price has some of its own."""
    data = value.encode()
    yield from (value, quote(value), quote_plus(value), data.hex())
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode()
        yield coded[-(-before * 4 // 3) : len(coded) // 4 * 4 - 4]
    if value in (UNIT_PRICE, TOTAL_PRICE):
        price = Decimal(value)
        yield from (f"{price:.2f}", f"{price:,.2f}", f"{price:.2f}".replace(".", ","), f"{price * 100:.0f}")
