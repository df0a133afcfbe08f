"""What the topics say of a story: source events, outcomes and dead letters, found and told."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import msgspec
from structlog import get_logger

from worker import parts
from worker.decode.decoder import FRAME, MAGIC, Decoded, Decoder, Undecodable
from worker.decode.schemas import OUTCOME, load
from worker.errors import RegistryUnavailable
from worker.explain import matching
from worker.explain.document import moment
from worker.explain.happenings import Happening
from worker.explain.marked import redriven
from worker.explain.reading import Reader, Stretch
from worker.explain.story import Story
from worker.record import Record
from worker.settings import Settings
from worker.stream import config

ASK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Records:
    """What was found; `document` says what was read, `waits` what is still to be worked on, in sentences.

    `whole`: the brokers gave all that was asked of them.
    """

    happenings: list[Happening]
    document: dict[str, Any]
    waits: list[str]
    remarks: list[str]
    whole: bool


async def look_into(story: Story, settings: Settings, since_ms: int, tell: Callable[[str], None]) -> Records:
    """Reads the topics from a time on and tells what belongs to the story. What cannot be read is remarked."""
    sources = config.event_types(settings.topics)
    letters = {source + settings.topics.dead_letter_suffix for source in sources}
    topics = [*sources, *sorted(letters), settings.topics.outcomes]
    ids = matching.wanted(story)
    pattern = ids.pattern
    reader = Reader(
        config.reading_config(settings.kafka, get_logger()),
        seconds=ASK_SECONDS,
        progress=lambda seen, of: tell(f"the topics, {seen:,} of {of:,} records"),
    )
    try:
        stretch = await asyncio.to_thread(
            reader.read, topics, since_ms, ids.places, lambda record: matching.mentioned(pattern, ids, record)
        )
    finally:
        reader.stop()  # or a person who asks to end waits for the thread
    registry = parts.registry(settings.registry)
    decoder = Decoder(sources, registry)
    told: list[Happening] = []
    given_up: list[Record] = []
    try:
        for record in stretch.kept:
            source = record.topic.removesuffix(settings.topics.dead_letter_suffix)
            if record.topic == settings.topics.outcomes:
                happening = matching.outcome(ids, record, _outcome(record))
            elif record.topic in letters:
                happening = matching.letter(ids, record, await _decoded(decoder, source, record))
                if happening is not None:
                    given_up.append(record)
            else:
                happening = matching.source(ids, record, await _decoded(decoder, source, record))
            if happening is not None:
                told.append(happening)
    finally:
        if registry is not None:
            await registry.close()
    told += await redriven(given_up, settings)
    return Records(told, _read(topics, since_ms, stretch), _waits(told, stretch), list(stretch.troubles), stretch.whole)


async def _decoded(decoder: Decoder, topic: str, record: Record) -> Decoded:
    try:
        return await decoder.decode(topic, record.value)
    except RegistryUnavailable as error:
        return Undecodable(str(error))


def _outcome(record: Record) -> Mapping[str, Any]:
    """The fields of an outcome; none when it cannot be read."""
    value = record.value or b""
    try:
        if value[:1] == bytes((MAGIC,)):
            fields = fastavro.schemaless_reader(io.BytesIO(value[FRAME:]), fastavro.parse_schema(load(OUTCOME)), None)
        else:
            fields = msgspec.json.decode(value)
    except Exception:  # another version's, or nobody's
        return {}
    return fields if isinstance(fields, dict) else {}


def _read(topics: list[str], since_ms: int, stretch: Stretch) -> dict[str, Any]:
    return {"names": topics, "since": moment(since_ms), "records": stretch.seen, "troubles": list(stretch.troubles)}


def _waits(told: list[Happening], stretch: Stretch) -> list[str]:
    said: list[str] = []
    for each in told:
        if each.what == "event" and each.place is not None:
            topic, partition, offset = each.place
            if offset >= stretch.committed.get((topic, partition), 0):
                said.append(
                    f"{topic}/{partition}/{offset} is not committed yet: it waits to be read, for its turn, or for "
                    "what came before it in its partition."
                )
    return said
