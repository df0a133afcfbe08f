"""The loop that most people would write: poll, post, commit. `… BOOTSTRAP TOPIC GROUP URL N`."""

from __future__ import annotations

import sys

import httpx

from bench.rivals.confirm import BODY, HEADERS, PATH
from bench.rivals.consuming import reading


def main(bootstrap: str, topic: str, group: str, url: str) -> None:
    consumer = reading(bootstrap, topic, group)
    with httpx.Client(timeout=30) as client:
        while True:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                client.post(url + PATH, content=BODY, headers=HEADERS).raise_for_status()
                consumer.commit(message=message, asynchronous=False)


if __name__ == "__main__":
    main(*sys.argv[1:5])
