import xml.etree.ElementTree as ET
from dataclasses import replace

from lab import picture
from lab.model import Outcome
from lab.timeline import Mark, Row, Span, Timeline, build
from tests import orderings

ELEMENTS = {"svg", "title", "desc", "style", "defs", "pattern", "path", "rect", "line", "text", "g", "circle"}
SVG = "{http://www.w3.org/2000/svg}"


def timeline() -> Timeline:
    made = build(orderings.lines("a:b"), vip=orderings.VIP, init_tasks={orderings.INIT})
    assert made is not None
    return made


def texts(root: ET.Element, tag: str) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}{tag}")]


def test_every_row_and_what_is_in_it_is_there_in_words() -> None:
    root = ET.fromstring(picture.svg(timeline()))
    shown = texts(root, "text")
    for row in timeline().rows:
        assert row.name in shown
        for span in row.spans:
            assert any(span.name in title for title in texts(root, "title"))
    assert "✗ attempt 1 rc=124 30 s" in shown
    assert "FAIL" in shown
    assert "1 sample(s) could not …" in " ".join(shown)


def test_it_has_a_title_and_a_description_for_who_cannot_see_it() -> None:
    root = ET.fromstring(picture.svg(timeline()))
    named = {one.get("id"): one.text for one in root if one.get("id")}
    title, description = (root.get("aria-labelledby") or "").split()
    assert named[title] == "Timeline of a:b"
    assert named[description] == "\n".join(timeline().says)
    assert root.get("role") == "img"


def test_states_and_outcomes_are_told_by_more_than_colour() -> None:
    root = ET.fromstring(picture.svg(timeline()))
    hatched = [one for one in root.iter(f"{SVG}rect") if (one.get("fill") or "").startswith("url(#hatch-")]
    assert len(hatched) == 1 + len(picture.HATCHED)  # the failed attempt, and the legend
    assert "✗" in texts(root, "text")
    assert all(means in " ".join(texts(root, "text")) for _, means in picture.LEGEND)


def test_what_evidence_says_is_text_and_nothing_is_loaded() -> None:
    drawn = picture.svg(timeline())
    root = ET.fromstring(drawn)
    assert any("<script>alert(1)</script>" in title for title in texts(root, "title"))
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= ELEMENTS
    assert not [name for one in root.iter() for name in one.attrib if "href" in name or name.startswith("on")]
    assert "url(" not in picture.STYLE
    assert "@import" not in picture.STYLE


def test_marks_that_would_lie_on_each_other_are_one_with_their_number() -> None:
    marks = tuple(Mark(name=f"check {number}", at_s=50 + number / 10, outcome=Outcome.PASS) for number in range(12))
    shown = Timeline(cell="a", ends_s=100, rows=(Row(name="checks", marks=(*marks, Mark(name="late", at_s=90))),), says=())
    root = ET.fromstring(picture.svg(shown))
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    assert "x12" in texts(root, "text")
    assert any("check 11 PASS" in title for title in texts(root, "title"))


def test_everything_stays_inside_the_picture() -> None:
    spans = (Span(name="all", begins_s=-1, ends_s=0.4, state="step"), Span(name="end", begins_s=0.4, ends_s=0.4, state="no"))
    for ends_s in (0.0, 0.4):
        shown = replace(timeline(), ends_s=ends_s, rows=(Row(name="r", spans=spans),))
        for one in ET.fromstring(picture.svg(shown)).iter(f"{SVG}rect"):
            assert float(one.get("x", "0")) + float(one.get("width", "0")) <= picture.WIDTH


def test_characters_that_xml_cannot_have_are_left_out() -> None:
    said = Span(name="\x00bell\x07\ud800", begins_s=0, ends_s=1, state="step")
    drawn = picture.svg(replace(timeline(), rows=(Row(name="r", spans=(said,)),)))
    assert "bell" in drawn
    ET.fromstring(drawn.encode())
