"""What a person can do about a dead letter, by its reason. Pure."""

from __future__ import annotations

from typing import Final

from worker.telemetry.names import Reason

MENDS: Final[dict[Reason, str]] = {
    "undecodable": (
        "Its bytes could not be read. Register or mend the producer's schema (see WORKER_REGISTRY__URL), then redrive. "
        "If the bytes themselves are broken, have the shop publish the event again, and discard this letter."
    ),
    "invalid": (
        "Its event breaks a rule, which the message names. Have the shop publish it again, mended, and discard this "
        "letter; redrive it only if the settings were wrong, such as the type that its topic is configured for."
    ),
    "rejected": (
        "Rokt refused the call, which changed nothing. Mend what its answer names, then redrive: it is sent under a "
        "key of its own. What Rokt will never take is to be discarded."
    ),
    "item-rejected": (
        "Rokt took the call and refused items, which the message names: the customer has paid for what is not there. "
        "Ask Rokt why, then redrive: only these items are sent again, under a key of their own. Or refund and discard."
    ),
    "exhausted": (
        "Its call kept failing while others succeeded, and no attempt was carried out. Ask Rokt about this cart, then "
        "redrive."
    ),
    "unknown-outcome": (
        "An attempt may have been carried out, and no answer came. Redrive: the same key is sent again, so nothing "
        "happens twice. Rokt may forget a key after three hours; if this is older, ask Rokt first."
    ),
    "nothing-to-cancel": (
        "No confirmed item of that order was known. If its confirm is a dead letter too, redrive that first. "
        "If nothing of the order was ever Rokt's, discard it."
    ),
}
REJECTED: Final[dict[int, str]] = {
    401: (
        "Rokt refused the credentials for this call while it took others. Ask Rokt whether this account may make it, "
        "then redrive."
    ),
    404: (
        "Rokt knows no such address, or no such cart or reservation. Check WORKER_ROKT__BASE_URL and the paths, and "
        "ask Rokt about the ids, then redrive: it is sent under a key of its own."
    ),
    409: (
        "Rokt has seen this key before, though this ledger has not: another worker, or an earlier ledger, may have "
        "done it. Ask Rokt. If it was done, discard this letter; if not, redrive: it is sent under a key of its own."
    ),
    413: "The call is too large for Rokt. Ask Rokt for more room, then redrive; or discard it.",
    415: "Rokt takes no such call. Check WORKER_ROKT__BASE_URL, something else may answer there, then redrive.",
}
SAME: Final = {403: 401, 405: 404, 410: 404}


def mend(reason: Reason, http_status: int | None) -> str:
    """A sentence or two."""
    if reason == "rejected" and http_status is not None:
        same = 404 if 300 <= http_status < 400 else SAME.get(http_status, http_status)
        return REJECTED.get(same, MENDS[reason])
    return MENDS[reason]
