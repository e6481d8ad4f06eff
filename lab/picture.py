"""A timeline as an SVG picture that stands alone: text and patterns beside colours, and words for who cannot see it."""

import hashlib
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.grid import SYMBOL
from lab.model import worst
from lab.timeline import Mark, Row, Span, State, Timeline

FILE = "timeline.svg"
STYLE = (Path(__file__).parent / "data" / "report" / "timeline.css").read_text().strip()
SHOWN: dict[State, str] = {"done": "✓ ", "failed": "✗ ", "stopped": "■ "}
HATCHED: tuple[State, ...] = ("failed", "stopped")
LEGEND: tuple[tuple[State, str], ...] = (
    ("step", "step of the lab"),
    ("task", "task of Ansible"),
    ("yes", "seen"),
    ("no", "seen that not"),
    ("failed", "failed"),
    ("stopped", "stopped"),
)
WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 1200, 180, 130, 28, 24, 16  # pixels; on the right there is room for the labels of what ends last
CHARACTER = 6.4  # pixels of an average one; only decides whether a label fits
NEAR = 26  # pixels; marks that would lie on each other are shown as one, with their number
SAID_CHARACTERS = 300
LABEL_CHARACTERS = 8  # where not even so many fit, a label says nothing
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF])  # XML cannot write these


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Seconds -> pixels."""

    ends_s: float

    def x(self, at_s: float) -> float:
        return round(LEFT + max(0.0, at_s) / max(self.ends_s, 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[float]:
        """About eight, at round numbers of seconds."""
        rough = max(self.ends_s, 1.0) / 8
        magnitude = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
        return [number * step for number in range(int(self.ends_s / step) + 1)]


def svg(timeline: Timeline) -> str:
    """The picture, as the text of an SVG file; it loads nothing and runs nothing."""
    key = hashlib.sha256(timeline.cell.encode()).hexdigest()[:8]
    height = TOP + ROW * (len(timeline.rows) + 2)
    root = ET.Element(
        "svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "timeline", "role": "img", "viewBox": f"0 0 {WIDTH} {height}"}
    )
    root.set("aria-labelledby", f"title-{key} desc-{key}")
    _add(root, "title", _xml(f"Timeline of {timeline.cell}"), id=f"title-{key}")
    _add(root, "desc", _xml("\n".join(timeline.says)), id=f"desc-{key}")
    _add(root, "style", STYLE)
    defs = _add(root, "defs")
    pattern = _add(defs, "pattern", id=f"hatch-{key}", width="6", height="6", patternUnits="userSpaceOnUse")
    _add(pattern, "path", d="M0 6 L6 0", **{"class": "hatch"})
    _add(root, "rect", width=str(WIDTH), height=str(height), **{"class": "paper"})
    scale = _Scale(ends_s=timeline.ends_s)
    _axis(root, scale, bottom=TOP + ROW * len(timeline.rows))
    for number, row in enumerate(timeline.rows):
        _row(root, row, scale=scale, y=TOP + ROW * number, hatch=f"url(#hatch-{key})")
    _legend(root, y=TOP + ROW * len(timeline.rows) + ROW, hatch=f"url(#hatch-{key})")
    return ET.tostring(root, encoding="unicode") + "\n"


def _axis(root: ET.Element, scale: _Scale, *, bottom: float) -> None:
    for at_s in scale.ticks():
        x = scale.x(at_s)
        _add(root, "line", x1=x, x2=x, y1=TOP - 6, y2=bottom, **{"class": "grid"})
        _text(root, f"{at_s:g} s", x=x, y=TOP - 12, kind="quiet", anchor="middle")


def _row(root: ET.Element, row: Row, *, scale: _Scale, y: float, hatch: str) -> None:
    group = _add(root, "g")
    _add(group, "line", x1=0, x2=WIDTH, y1=y + ROW, y2=y + ROW, **{"class": "row"})
    _text(group, row.name, x=LEFT - 8, y=y + ROW / 2 + 4, anchor="end")
    taken = [*(scale.x(span.begins_s) for span in row.spans), *(scale.x(mark.at_s) - 8 for mark in row.marks), float(WIDTH)]
    for span in row.spans:
        _bar(group, span, scale=scale, y=y, free_until=_next(taken, scale.x(span.begins_s)), hatch=hatch)
    for near in _near(row.marks, scale):
        _symbol(group, near, x=scale.x(near[0].at_s), y=y + ROW / 2, free_until=_next(taken, scale.x(near[-1].at_s)))


def _next(taken: Iterable[float], x: float) -> float:
    return min((one for one in taken if one > x), default=float(WIDTH))


def _bar(group: ET.Element, span: Span, *, scale: _Scale, y: float, free_until: float, hatch: str) -> None:
    """Its label stands in it, or beside it where there is room; the title has all of it in any case."""
    x, width = scale.x(span.begins_s), max(2.0, scale.x(span.ends_s) - scale.x(span.begins_s))
    bar = _add(group, "g")
    said = f": {span.said}" if span.said else ""
    _add(bar, "title", _clean(f"{span.name}, {_seconds(span)}, from {span.begins_s:.1f} s to {span.ends_s:.1f} s{said}"))
    _rect(bar, x=x, y=y + (ROW - BAR) / 2, width=width, state=span.state, hatch=hatch)
    short = f"{SHOWN.get(span.state, '')}{span.name}"
    for label in (" ".join(part for part in (short, span.said[:20], _seconds(span)) if part), short):
        room = len(label) * CHARACTER + 8
        if room <= width:
            kind = "quiet" if span.state == "no" else "in on-step" if span.state == "step" else "in"
            return _text(bar, label, x=x + 4, y=y + ROW / 2 + 4, kind=kind)
        if room <= free_until - x - width:
            return _text(bar, label, x=x + width + 4, y=y + ROW / 2 + 4)
    return None


def _near(marks: Sequence[Mark], scale: _Scale) -> Iterator[list[Mark]]:
    together: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.at_s):
        if together and scale.x(mark.at_s) - scale.x(together[0].at_s) > NEAR:
            yield together
            together = []
        together.append(mark)
    if together:
        yield together


def _symbol(group: ET.Element, marks: list[Mark], *, x: float, y: float, free_until: float) -> None:
    outcomes = [mark.outcome for mark in marks if mark.outcome is not None]
    outcome = worst(outcomes) if outcomes else None
    made = _add(group, "g")
    _add(made, "title", "\n".join(_clean(_told(mark)) for mark in marks))
    _add(made, "circle", cx=x, cy=y, r=8, **{"class": f"disc {outcome.name if outcome is not None else ''}".strip()})
    _text(made, SYMBOL[outcome] if outcome is not None else "i", x=x, y=y + 4, kind="symbol" if outcome is None else "symbol in")
    label = f"x{len(marks)}" if len(marks) > 1 else marks[0].said if outcome is None else marks[0].name
    room = int((free_until - x - 16) / CHARACTER)
    if room >= min(len(label), LABEL_CHARACTERS):
        _text(made, label if len(label) <= room else f"{label[: room - 1]}…", x=x + 11, y=y + 4, kind="quiet")


def _told(mark: Mark) -> str:
    outcome = f" {mark.outcome.name}" if mark.outcome is not None and mark.name != mark.outcome.name else ""
    return f"{mark.name}{outcome} at {mark.at_s:.1f} s" + (f": {mark.said}" if mark.said else "")


def _legend(root: ET.Element, *, y: float, hatch: str) -> None:
    x = float(LEFT)
    for state, means in LEGEND:
        _rect(root, x=x, y=y + (ROW - BAR) / 2, width=22, state=state, hatch=hatch)
        label = f"{SHOWN.get(state, '')}{means}"
        _text(root, label, x=x + 28, y=y + ROW / 2 + 4, kind="quiet")
        x += 28 + len(label) * CHARACTER + 24


def _rect(parent: ET.Element, *, x: float, y: float, width: float, state: State, hatch: str) -> None:
    for look in ({"class": f"bar {state}"}, *([{"fill": hatch}] if state in HATCHED else [])):
        _add(parent, "rect", x=x, y=y, width=round(width, 1), height=BAR, rx=2, **look)


def _text(parent: ET.Element, text: str, *, x: float, y: float, kind: str = "", anchor: str = "") -> None:
    extra = {"class": kind} if kind else {}
    extra |= {"text-anchor": anchor} if anchor else {}
    _add(parent, "text", _clean(text), x=x, y=y, **extra)


def _add(parent: ET.Element, tag: str, text: str | None = None, /, **attributes: object) -> ET.Element:
    made = ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    made.text = text
    return made


def _seconds(span: Span) -> str:
    return f"{span.ends_s - span.begins_s:.0f} s"


def _clean(text: str) -> str:
    """As much of it as anybody reads in a picture."""
    line = _xml(text)
    return line if len(line) <= SAID_CHARACTERS else f"{line[: SAID_CHARACTERS - 1]}…"


def _xml(text: str) -> str:
    return text.translate(_NOT_XML)
