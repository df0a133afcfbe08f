"""A Rokt that quotes all it is sent in whatever it answers; how it answers, the cart's name says."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from infra.listening import Heard, Said, echo

HANG_SECONDS = 20.0


@dataclass(eq=False)
class QuotingRokt:
    """While it is `locked` it refuses the credentials. What still hangs is let go by `closing`."""

    locked: bool = True
    closing: threading.Event = field(default_factory=threading.Event)
    _times: Counter[str] = field(default_factory=Counter)

    def __call__(self, heard: Heard) -> Said | None:
        """An answer; None: the connection is closed without one."""
        if self.locked:
            return replace(echo(heard), status=401)
        manner = next((name for name in self._manners() if name in heard.body.decode()), "fine")
        self._times[manner] += 1
        return self._manners()[manner](heard, self._times[manner] == 1)

    def _manners(self) -> dict[str, Callable[[Heard, bool], Said | None]]:
        return {
            "fine": lambda heard, _: _done(heard, success=True),
            "busy": lambda heard, first: replace(echo(heard), status=503) if first else _done(heard, success=True),
            "gone": lambda heard, first: None if first else _done(heard, success=True),
            "slow": self._slow,
            "refused": lambda heard, _: _refused(heard),
            "wrong": lambda heard, _: replace(echo(heard), status=422),
            "moved": lambda heard, _: replace(echo(heard), status=302),
            "twice": lambda heard, _: replace(echo(heard), status=409),
            "partly": lambda heard, _: _done(heard, success=False),
            "mumbled": lambda heard, _: replace(echo(heard), status=200),
            "poison": lambda heard, _: replace(echo(heard), status=500),
        }

    def _slow(self, heard: Heard, first: bool) -> Said | None:
        if not first:
            return replace(echo(heard), status=409)
        self.closing.wait(HANG_SECONDS)
        return None


def _done(heard: Heard, *, success: bool) -> Said:
    """In Rokt's form; every item as it was sent, prices and all, with what Rokt adds."""
    sent: dict[str, Any] = json.loads(heard.body)
    added = {"itemConfirmationId": "confirmation", "itemConfirmationUrl": "https://rokt.example/c", "success": success}
    items = [item | added | {"message": heard.text} for item in sent.get("items", [])]
    return Said(200, json.dumps(sent | {"items": items, "message": heard.text}).encode())


def _refused(heard: Heard) -> Said:
    """In Rokt's form of an error, whose sentences quote what is wrong with what was sent."""
    sent: dict[str, Any] = json.loads(heard.body)
    item = sent["items"][0]
    who = ", ".join(sent["attributes"].values())
    said = f"{item['unitPrice']} or {item['totalPrice']} of {sent['payPalOrderId']} is too much for {who}"
    errors = [{"code": "Wrong", "message": said, "value": sent}]
    return Said(400, json.dumps({"description": f"No: {said}", "errors": errors}).encode())
