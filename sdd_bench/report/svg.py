"""Conversion of matplotlib's SVG to SVG for pages, which follows their light and dark colours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as Xml

VIRIDIS = ("#440154", "#472e7c", "#39558c", "#2a768e", "#1f968b", "#32b67a", "#73d056", "#cae11f")

# The colours of kinds are Okabe and Ito's, which are distinguishable with colour blindness.
COLOURS = {
    "ink": ("#1c1c1c", "#ececec"), "soft": ("#7a7a7a", "#a0a0a0"), "grid": ("#e4e4e4", "#363636"),
    "paper": ("#fffffe", "#121212"), "accent": ("#1f5fd0", "#84b4ff"), "red": ("#c8202b", "#ff7b76"),
    "green": ("#1c8a3a", "#6fd487"), "blue": ("#1f5fd1", "#84b4ff"), "sky": ("#56b4e9", "#3a8fc4"),
    "vermilion": ("#d55e00", "#ff8a3c"), "teal": ("#009e73", "#2fc79a"), "navy": ("#0072b2", "#59b0e6"),
    "orange": ("#e69f00", "#f0b73a"), "pink": ("#cc79a7", "#e29cc4"), "grey": ("#777777", "#a5a5a5"),
    "gold": ("#a58a00", "#f0e442"), "violet": ("#6a3d9a", "#b99ad9"), "unknown": ("#b0b0b0", "#333333"),
    **{f"ramp-{i}": ends for i, ends in enumerate(zip(VIRIDIS[::-1], VIRIDIS, strict=True))},
}  # fmt: skip
"""Colours on a light and on a dark page by name; all light ones are different, because they identify the name."""

RAMP = tuple(name for name in COLOURS if name.startswith("ramp-"))
"""Colours of a ramp, from nearly the page's colour to the strongest contrast."""

LIGHT = {name: light for name, (light, _) in COLOURS.items()}
"""Colours that matplotlib draws with."""

STYLE = (
    ":root { "
    + " ".join(f"--plot-{name}: light-dark({light}, {dark});" for name, (light, dark) in COLOURS.items())
    + " }\n.plot { display: block; width: 100%; height: auto; overflow: visible; stroke-linejoin: round; }\n"
    ".plot text { font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }\n"
    ".plot .name { paint-order: stroke; stroke: Canvas; stroke-width: 3px; }"
)
"""CSS that a page with plots needs. A page may set `--plot-accent` for parts of a plot with a special meaning."""

NAMES = {light: f"var(--plot-{name})" for name, light in LIGHT.items()}
LINK = "{http://www.w3.org/1999/xlink}href"
UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Mark:
    """Attributes and tooltips that a page adds to a part of a plot.

    Attributes:
        attributes: Attributes of the part's group in the SVG.
        titles: Tooltips: one for the whole part, or one for each of its points in order.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    titles: Sequence[str] = ()


def printable(text: str) -> str:
    """Return a text in which characters that are invalid in XML or break the line are replaced.

    >>> printable("a\\nb\\x00 <é>")
    'a�b� <é>'
    """
    return UNPRINTABLE.sub("\ufffd", text)


def page_svg(drawn: str, key: str, title: str, description: str = "", marks: Mapping[str, Mark] | None = None) -> str:
    """Return an SVG element that can be placed in an HTML page beside others.

    Colours of `COLOURS` become CSS variables, ids get the prefix `key`, and matplotlib's document-wide rules, addresses
    and metadata are removed. Text remains text and is escaped.

    Args:
        drawn: SVG written by matplotlib with `svg.fonttype` none.
        key: Key that is unique among the plots of a page; letters, digits and hyphens.
        title: Short description of the plot, also for screen readers.
        description: Longer description.
        marks: Marks by the id that a part has in matplotlib.
    """
    root = Xml.fromstring(drawn)
    numbers: dict[str, str] = {}
    root[:] = [part for child in root for part in _parts(child, key, numbers, marks or {})]
    root.tag, root.text = "svg", None
    labels = [("title", title), ("desc", description)]
    shown = [(f"{key}-{tag}", tag, text) for tag, text in labels if text]
    names = " ".join(name for name, *_ in shown)
    root.attrib = {"class": "plot", "viewBox": root.attrib["viewBox"], "role": "img", "aria-labelledby": names}
    root[:0] = [_text_element(tag, text, id=name) for name, tag, text in shown]
    return Xml.tostring(root, encoding="unicode")


def _parts(part: Xml.Element, key: str, numbers: dict[str, str], marks: Mapping[str, Mark]) -> Iterator[Xml.Element]:
    """Yield the remainder of an element: nothing, itself, or its children if it has no content of its own."""
    part.tag = part.tag.rpartition("}")[2]
    if part.tag in ("metadata", "style"):  # the style would apply to the whole document
        return
    part.tail = None
    if part.tag != "text":
        part.text = None
    mark = marks.get(part.get("id", ""))
    part.attrib = dict(_attributes(part, key, numbers))
    part[:] = [left for child in part for left in _parts(child, key, numbers, marks)]
    if mark is not None:
        part.attrib.update(mark.attributes)
        points = list(part.iter("use")) if len(mark.titles) > 1 else [part][: len(mark.titles)]
        for point, title in zip(points, mark.titles, strict=True):
            point.insert(0, _text_element("title", title))
    styles = {(child.tag, child.get("style")) for child in part}
    if len(part) > 1 and len(styles) == 1 and part[0].tag == "use":  # many points with the same look
        part.set("style", part[0].get("style", ""))
        for child in part:
            child.attrib.pop("style", None)
    if part.tag in ("g", "defs") and not part.attrib and (part.tag == "g" or not len(part)):
        yield from part
    elif part.attrib.get("style") != "fill: none":  # frames of figure and axes, which are not drawn
        yield part


def _attributes(part: Xml.Element, key: str, numbers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield an element's attributes in the form for pages; `numbers` has the new ids assigned so far."""

    def renamed(name: str) -> str:
        return numbers.setdefault(name, f"{key}-{len(numbers)}")

    for name, value in part.attrib.items():
        if name == "id":
            if part.tag != "g":
                yield name, renamed(value)
        elif name == LINK:
            yield "href", f"#{renamed(value[1:])}" if value.startswith("#") else "".join(value.split())
        elif name == "clip-path":
            yield name, f"url(#{renamed(value[5:-1])})"
        elif name == "style":
            yield name, _style(value)
        elif name == "d":
            yield name, re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(" ".join(value.split())))
        elif name == "transform":
            if not value.startswith("rotate(-0 "):
                yield name, value
        else:
            yield name, _rounded(value)


def _style(style: str) -> str:
    """Return style declarations with named colours and without font families, which the page sets.

    >>> _style("font: 10px 'DejaVu Sans', sans-serif; fill: #1c1c1c; stroke: #123456")
    'font-size: 10px; fill: var(--plot-ink); stroke: #123456'
    """
    kept = []
    for declaration in style.split("; "):
        name, _, value = declaration.partition(": ")
        if name == "font" and (size := re.search(r"[\d.]+px", value)):
            name, value = "font-size", size[0]
        if name != "font-family":
            kept.append(f"{name}: {NAMES.get(value, value)}" if value else declaration)
    return "; ".join(kept)


def _rounded(text: str) -> str:
    """Return a text in which numbers have at most two decimals.

    >>> _rounded("M 1.23456 2.0 L 10 -0.001")
    'M 1.23 2 L 10 -0'
    """
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), text)


def _text_element(tag: str, text: str, **attributes: str) -> Xml.Element:
    element = Xml.Element(tag, attributes)
    element.text = printable(text)
    return element
