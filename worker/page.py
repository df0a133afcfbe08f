"""The page for people: how a worker stands, at a glance. Plain HTML that renews itself: no script, no other server's.

What comes from events (ids) is escaped; a payload, a price or a secret never gets here. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from worker.explain.document import linked
from worker.state import PartitionState, State
from worker.telemetry.recent import Recent
from worker.unready import unready

RENEWED_SECONDS: Final = 5
LATE_SECONDS: Final = 60.0
STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:72rem;padding:0 1rem}
body{color:#1c2733;background:#fff}
h1{font-size:1.25rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .4rem}p{margin:.2rem 0 0;color:#5b6b7b}
.tiles{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}
.tile{border:1px solid #d8dfe6;border-radius:.5rem;padding:.5rem .8rem;min-width:7.5rem}
.tile b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}.tile span{color:#5b6b7b;font-size:.85rem}
.good{color:#116b35}.doubtful{color:#8a5a00}.bad{color:#b3261e}
.tile.good{border-color:#8fcaa5;background:#f1faf4}.tile.doubtful{border-color:#e3c27a;background:#fdf8ec}
.tile.bad{border-color:#e3a09b;background:#fdf1f0}
table{border-collapse:collapse;width:100%;font-size:.9rem}th{text-align:left;font-weight:600;color:#5b6b7b}
th,td{padding:.25rem .6rem .25rem 0;border-bottom:1px solid #e8edf1;vertical-align:top}
td.n+td:not(.n),th.n+th:not(.n){padding-left:.6rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){body{color:#dde4ea;background:#12181e}.tile,th,td{border-color:#33404c}
p,.tile span,th{color:#93a3b3}.tile.good,.tile.doubtful,.tile.bad{background:none}
.good{color:#6fcf97}.doubtful{color:#e6b450}.bad{color:#ff8a80}a{color:#8ab4f8}}
"""


@dataclass(frozen=True, slots=True)
class About:
    """Which worker it is; `link` makes an address of a trace's id (WORKER_TRACING__LINK)."""

    group: str
    rokt: str
    link: str | None = None


def shown(about: About, recent: Iterable[Recent], state: State) -> str:
    """The whole page."""
    why = unready(state)
    head = (
        f'<meta charset="utf-8"><meta http-equiv="refresh" content="{RENEWED_SECONDS}">'
        f'<meta name="viewport" content="width=device-width"><title>rokt-worker {escape(about.group)}</title>'
        f"<style>{STYLE}</style>"
    )
    parts = [
        f"<h1>rokt-worker <small>{escape(about.group)}</small></h1>",
        f"<p>calls {escape(about.rokt)}; this page renews itself every {RENEWED_SECONDS} s</p>",
        _tiles(state, why),
        _circuits(state),
        _partitions(state),
        _recent(about, recent),
        '<p><a href="/metrics">/metrics</a> · <a href="/livez">/livez</a> · <a href="/readyz">/readyz</a></p>',
    ]
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _tiles(state: State, why: Sequence[str]) -> str:
    gate, partitions = state.gate, state.partitions
    known = [p.lag for p in partitions if p.lag is not None]
    oldest = max((p.oldest_seconds for p in partitions if p.oldest_seconds is not None), default=None)
    left, lost = state.retention_left_seconds, state.records_lost
    open_ = [circuit.circuit for circuit in gate.circuits]
    tiles = [
        ("ready", "no" if why else "yes", "; ".join(why) or "takes events", "bad" if why else "good"),
        (
            "calls to Rokt",
            "held up" if open_ else "go",
            ", ".join(open_) or "no circuit is open",
            _mood(bad=bool(open_)),
        ),
        ("partitions", str(len(partitions)), f"{sum(bool(p.paused_for) for p in partitions)} paused", ""),
        ("lag", f"{sum(known):,}" if known or not partitions else "?", "records behind the logs' ends", ""),
        ("in hand", f"{sum(p.in_hand for p in partitions):,}", f"{state.under_way:,} begun, {state.lanes:,} lanes", ""),
        ("under way", f"{gate.under_way:,}", f"calls; {sum(gate.waiting.values()):,} wait their turn", ""),
        ("oldest", _duration(oldest), "not settled", "doubtful" if (oldest or 0) > LATE_SECONDS else ""),
    ]
    if gate.held_back_seconds:
        tiles.append(("held back", _duration(gate.held_back_seconds), "as Rokt asked (Retry-After)", "doubtful"))
    if gate.calls_per_second is not None:
        tiles.append(("pace", f"{gate.calls_per_second:.1f}/s", "calls that Rokt was found to take", "doubtful"))
    if left is not None:
        tiles.append(("retention", _duration(left), "until something waiting is deleted", ""))
    if lost:
        tiles.append(("lost", f"{lost:,}", "records deleted before they were read", "bad"))
    return f'<div class="tiles">{"".join(_tile(*tile) for tile in tiles)}</div>'


def _tile(name: str, value: str, more: str, mood: str) -> str:
    return f'<div class="tile {mood}"><span>{name}</span><b>{escape(value)}</b><span>{escape(more)}</span></div>'


def _circuits(state: State) -> str:
    rows = [
        [f'<b class="bad">{escape(c.circuit)}</b>', _duration(c.seconds), escape(c.why)] for c in state.gate.circuits
    ]
    stalls = [
        [
            f'<b class="bad">{escape(stall.topic)}/{stall.partition}</b>',
            _duration(stall.seconds),
            f"offset {stall.offset}, cart {escape(stall.cart_id or '?')}: waits for {escape(stall.waits_for)}",
        ]
        for stall in state.stalls
    ]
    held = [*rows, *stalls]
    return _table("What holds it up", ("what", "for", "why"), held) if held else ""


def _partitions(state: State) -> str:
    ordered = sorted(state.partitions, key=lambda p: (p.topic, p.partition))
    names = ("partition", "lag#", "in hand#", "gap#", "oldest#", "paused for")
    return _table("Partitions of this member", names, [_partition(p) for p in ordered])


def _partition(p: PartitionState) -> list[str]:
    return [
        f"{escape(p.topic)}/{p.partition}",
        "?" if p.lag is None else f"{p.lag:,}",
        f"{p.in_hand:,}",
        f"{p.gap:,}",
        _duration(p.oldest_seconds),
        escape(", ".join(sorted(p.paused_for))),
    ]


def _recent(about: About, recent: Iterable[Recent]) -> str:
    rows = [
        [
            one.at.strftime("%H:%M:%S"),
            escape(one.topic),
            f'<span class="{_mood(bad=one.fate == "dead-lettered")}">{escape(one.said or one.fate)}</span>',
            escape(one.cart_id or ""),
            escape(one.order_id or ""),
            str(one.attempts),
            _duration(one.seconds),
            _trace(about, one.trace_id),
        ]
        for one in reversed(list(recent))
    ]
    names = ("settled (UTC)", "topic", "as", "cart", "order", "attempts#", "took#", "trace")
    return _table("Settled last", names, rows)


def _trace(about: About, trace_id: str | None) -> str:
    link = linked(about.link, trace_id)
    text = escape((trace_id or "")[:8])
    return f'<a href="{escape(link)}" rel="noreferrer">{text}</a>' if link else text


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns whose name ends with # are numbers. Cells are HTML."""
    marks = [' class="n"' if name.endswith("#") else "" for name in names]
    head = "".join(f"<th{mark}>{name.rstrip('#')}</th>" for name, mark in zip(names, marks, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{mark}>{cell}</td>' for cell, mark in zip(row, marks, strict=True))}</tr>" for row in rows
    )
    return f"<h2>{title}</h2><table><tr>{head}</tr>{body or f'<tr><td colspan={len(names)}>none yet</td></tr>'}</table>"


def _mood(*, bad: bool) -> str:
    return "bad" if bad else "good"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.0f} s"
