"""The worker, with a defect: what was well is raised over what it was given, whose text is then the error's."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from worker import pipeline
from worker.commands.main import main
from worker.dispatch import Dispatcher
from worker.ledger.sqlite import SqliteStore
from worker.stream import consumption


def broken(*given: Any, **_: Any) -> NoReturn:
    raise LookupError(given)


def broken_over_the_message(message: Any) -> NoReturn:
    raise LookupError(message.key(), message.value(), message.headers())


async def broken_store(_: Any, requests: Any) -> NoReturn:
    raise LookupError(requests)


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "mapping":
            pipeline.map_event = broken  # type: ignore[attr-defined]
        case "accepting":
            Dispatcher.accept = broken  # type: ignore[method-assign]
        case "reading":
            consumption.from_message = broken_over_the_message  # type: ignore[attr-defined]
        case "ledger":
            SqliteStore.work = broken_store  # type: ignore[method-assign,assignment]
    main()
