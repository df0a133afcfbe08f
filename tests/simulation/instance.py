"""One worker on simulated ways out, and its life on the consumer's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulation.core import CLOSE_SECONDS, assemble
from simulation.history import SOURCES
from simulation.lockstep import Crashed, Lockstep
from simulation.member import Member
from simulation.processes import Process
from worker.dispatch import Dispatcher
from worker.events import event_type
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.config import Beginning
from worker.stream.consumption import Consumption, Pace
from worker.stream.losses import Losses
from worker.stream.pauses import Limits
from worker.telemetry.meters import Meters
from worker.urgency import asked_by, kind_in

if TYPE_CHECKING:
    from simulation.world import World


class Instance:
    """A worker process of a world; `start` it once."""

    def __init__(self, world: World, process: Process) -> None:
        self.process = process
        self.member: Member | None = None
        self._world = world
        self._loop = world.loop
        self._thread = Lockstep()
        self._log = world.trace.log(process.name, lambda: process.alive)
        self._consumption = self._assemble()

    def start(self) -> None:
        self.process.start(self._live())

    def stop(self) -> None:
        """As SIGTERM: it drains, commits, leaves."""
        if self.process.alive and not self.process.stopping:
            self._world.trace.note(self.process.name, "told to stop")
            self.process.stopping = True

    def _assemble(self) -> Consumption:
        world, conditions = self._world, self._world.conditions
        clock = self._loop.time
        core = assemble(world, self.process, self._log, rejections=conditions.rejections)
        self._ledger, gate = core.ledger, core.gate
        self._dispatcher = Dispatcher(
            core.pipeline,
            max_under_way=conditions.under_way,
            clock=clock,
            fail=self._failed,
            log=self._log,
            meters=Meters(),
        )
        return Consumption(
            SOURCES,
            dispatch=OnVirtualLoop(self._dispatcher, self.process, self._thread),
            clock=clock,
            now_ms=world.now_ms,
            held=lambda topic: (
                gate.stops_reading(asked_by(event_type(topic))) | frozenset(() if self._ledger.up else ("ledger",))
            ),
            limits=Limits(conditions.gap, conditions.memory, {topic: kind_in(event_type(topic)) for topic in SOURCES}),
            pace=Pace(
                batch=conditions.batch,
                poll_seconds=conditions.poll,
                commit_seconds=conditions.commit_every,
                commit_records=100,
                ask_seconds=1.0,
                revoke_seconds=conditions.revoke,
                drain_seconds=conditions.drain,
                repeat_seconds=30.0,
            ),
            beginning=Beginning(),
            losses=Losses(self._log, ask_seconds=1.0),
            log=self._log,
        )

    async def _live(self) -> None:
        self._ledger.start(self._failed)
        try:
            await self._thread.run(self._consume)
        except Crashed:
            return
        except Exception as error:
            self._failed(error)
        await self._ledger.close(CLOSE_SECONDS)
        self._world.trace.note(self.process.name, "ended")
        self.process.end()

    def _consume(self) -> None:
        """As `ConsumerThread.run`."""
        world = self._world
        self.member = Member(
            self.process,
            self._thread,
            world.broker,
            world.group,
            loop=self._loop,
            chance=world.chance,
            manners=world.conditions.manners,
            on_commit=self._consumption.committed,
        )
        try:
            self._consumption.begin(self.member)
            while not self.process.stopping:
                self._consumption.turn()
            self._consumption.drain()
        finally:
            self.member.close()

    def _failed(self, error: Exception) -> None:
        self._world.trace.defects.append(f"{self.process.name}: {type(error).__name__}: {error}")
        self.process.stopping = True


class OnVirtualLoop:
    """The dispatcher as the consumer's thread reaches it, while the loop stands still."""

    def __init__(self, dispatcher: Dispatcher, process: Process, thread: Lockstep) -> None:
        self._dispatcher = dispatcher
        self._process = process
        self._thread = thread

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        self._process.call_soon(self._dispatcher.accept, batches)

    def close(self, assignments: Sequence[Assignment], seconds: float) -> Closing:
        return Closing(self._process.create_task(self._dispatcher.close(assignments, seconds)), self._thread)


class Closing:
    """A closing under way, which the thread may wait for."""

    def __init__(self, task: asyncio.Task[None], thread: Lockstep) -> None:
        self._task = task
        self._thread = thread

    def done(self) -> bool:
        return self._task.done()

    def result(self, timeout: float) -> None:
        done, _ = self._thread.wait_for(asyncio.wait([self._task], timeout=timeout))
        if not done:
            raise TimeoutError
        self._task.result()

    def cancel(self) -> bool:
        return self._task.cancel()
