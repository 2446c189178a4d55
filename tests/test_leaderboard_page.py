"""The leaderboard's page without a browser: its contents, hostile names, images within the size budget."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from known_board import (
    EVIL,
    FORMULA,
    IMAGES,
    METHODS,
    TABLE,
    known_entries,
    known_entry,
    known_page,
    known_pictures,
)
from known_results import content_of, image_digests, mae_of

from leaderboard.alike import alike
from leaderboard.page.data import dataset_files, method_folders, other_boards
from leaderboard.page.methods import image_charts, method_facts
from leaderboard.page.table import columns, lines
from leaderboard.page.write import PROTOCOLS, write_page
from leaderboard.reported import reported_rows
from leaderboard.table import build_board, compared_methods
from leaderboard.wide import places
from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import PROTOCOLS as KNOWN_PROTOCOLS
from sdd_bench.evaluation.results import Results
from sdd_bench.io.images import write_png
from sdd_bench.report.scatter import pareto_front

VOID = {"meta", "input", "br", "img"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return known_page(folder, known_pictures(folder)).read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Parser that records open tags and findings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_tags_are_closed_and_nothing_is_fetched(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    ids = [found["id"] for _, found in tags.attributes if "id" in found]
    assert len(ids) == len(set(ids))
    targets = {found["href"] for tag, found in tags.attributes if tag == "a"}
    assert {t[1:] for t in targets if t and t.startswith("#")} <= set(ids)
    assert not any("src" in found or tag in ("link", "iframe", "object") for tag, found in tags.attributes)
    addresses = {address for address in re.findall(r"url\((.*?)\)", page) if "$" not in address}
    assert {a[:5] for a in addresses if a[1:] not in ids} == {"data:"}


def test_names_are_escaped_everywhere(page: str) -> None:
    assert EVIL not in page
    assert page.count("<script") == 3  # the data of two methods, of images, and the page's own
    assert html.escape(EVIL) in page
    assert EVIL in json.dumps(data(page))
    assert EVIL in json.dumps(data(page, "pair-data"))


def data(page: str, name: str = "data") -> dict:
    return json.loads(page.split(f'id="{name}">')[1].split("</script>")[0])


def test_a_paper_that_is_no_web_address_is_no_link(page: str) -> None:
    assert 'href="javascript' not in page
    assert ("code", "https://example.org/code", "https://example.org/code") in method_facts(known_entries()[0])


def test_the_csv_in_the_page_has_no_formula(page: str) -> None:
    found = re.search(r"data:text/csv;base64,([\w+/=]+)", page)
    assert found
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(found[1]).decode())))
    assert f"'{FORMULA}" in {row["method"] for row in rows}
    assert not any(cell[:1] in ("=", "+", "@") for row in rows for cell in row.values() if cell)


def test_protocol_and_dataset_are_named_and_explained(page: str) -> None:
    text = html.unescape(page)
    assert PROTOCOLS["anchored/1"] in text
    assert "Dataset sdd, split test" in text
    assert "6 images" in text


def test_every_protocol_is_explained_in_two_sentences() -> None:
    assert set(PROTOCOLS) == set(KNOWN_PROTOCOLS)
    assert all(len(re.findall(r"[.:](?: |$)", words)) >= 2 and words.count(". ") == 1 for words in PROTOCOLS.values())


def test_reported_numbers_stand_in_a_table_of_their_own(page: str) -> None:
    measured, reported = page.split('id="reported"')
    known = reported_rows(TABLE)
    assert len(known) > 5
    assert reported.count("<tr>") == 1 + len(known)
    assert 'aria-labelledby="reported"' not in measured


def test_ties_share_a_band_and_partial_rows_have_no_rank() -> None:
    board = build_board(known_entries())
    found = {line.method: line for line in lines(board, columns(board.rows))}
    assert [(found[m].rank, found[m].tied) for m in ("Twin", EVIL, FORMULA, "Bent", "Part")] == [
        ("1 =", True), ("1 =", True), ("3", False), ("4", False), ("", False),
    ]  # fmt: skip
    assert [line.first for line in found.values()] == [True, False, True, True, True]


def test_first_and_second_rank_are_marked_in_every_column() -> None:
    board = build_board(known_entries())
    shown = columns(board.rows)
    marks = {
        column.name: {line.method: line.cells[i].place for line in lines(board, shown) if line.cells[i].place}
        for i, column in enumerate(shown)
    }
    assert marks["psnr_db"] == marks["lpips"] == {"Twin": 1, EVIL: 1, FORMULA: 2}  # for LPIPS, less is better
    assert marks["gdi50_px"] == marks["params_m"] == {}


def test_the_better_method_by_a_column_is_marked_though_it_ranks_behind() -> None:
    first, second = known_entry("First", 26.0), known_entry("Second", 25.0)
    second.rows["lpips"] = first.rows["lpips"] - 0.01
    board = build_board([first, replace(second, means=second.rows.mean())])
    assert board.rows["method"].tolist() == ["First", "Second"]
    assert places(board, "psnr_db") == {("First", "psnr_db"): 1, ("Second", "psnr_db"): 2}
    assert places(board, "lpips") == {("First", "lpips"): 2, ("Second", "lpips"): 1}


def test_headings_say_their_unit_and_which_way_is_better(page: str) -> None:
    shown = {column.name: (column.heading, column.arrow) for column in columns(build_board(known_entries()).rows)}
    assert shown["psnr_db"] == ("PSNR (dB)", "↑")
    assert shown["ssim"] == ("SSIM", "↑")
    assert shown["lpips"] == ("LPIPS", "↓")
    assert shown["gdi50_px"] == ("displacement, gdi50 (px)", "↓")
    assert shown["best_probability"] == ("best in (%)", "↑")
    assert 'PSNR (dB)<span class="way" role="img" aria-label="higher is better">↑</span>' in page
    assert "Share of 10,000 bootstrap resamples of the images in which the method has the best mean." in page


def test_bars_are_on_one_scale_a_column() -> None:
    board = build_board(known_entries())
    shown = columns(board.rows)
    psnr = next(i for i, column in enumerate(shown) if column.name == "psnr_db")
    scale = shown[psnr].scale
    assert scale is not None
    assert (scale.low_text, scale.high_text) == (f"{scale.low:g}", f"{scale.high:g}")
    for line, (_, row) in zip(lines(board, shown), board.rows.iterrows(), strict=True):
        bar = line.cells[psnr].bar
        assert bar is not None
        places = [(row[key] - scale.low) / (scale.high - scale.low) for key in ("psnr_lo", "psnr_db", "psnr_hi")]
        assert bar == pytest.approx([100 * place for place in places])
        assert all(0 <= place <= 1 for place in places)


def test_identical_images_count_with_60_db_in_a_bar_as_in_the_table() -> None:
    rows = pd.DataFrame({"psnr_db": [float("inf"), 40.0], "ssim": [1.0, 1.0]}, ["a", "b"])
    means = pd.Series({"psnr_db": 50.0, "ssim": 1.0, "lpips": float("nan"), "mae": float("nan")})
    board = build_board([known_entry("perfect", 30, rows=rows, means=means)])
    cell = lines(board, columns(board.rows))[0].cells[0]
    assert (cell.text, cell.value) == ("50.00", "50")
    assert cell.interval.endswith("to 60.00")


def test_plots_without_data_are_left_out_in_words(tmp_path: Path) -> None:
    entries = [known_entry("alone", 25)]
    entries[0] = replace(entries[0], method=replace(entries[0].method, params_m=None))
    text = write_page(tmp_path / "p.html", build_board(entries)).read_text()
    assert "PSNR against LPIPS</strong>" in text
    assert "no method says it: PSNR against parameters, MACs, runtime." in text
    assert "needs results under paper/1 too" in text
    assert "no predictions were given" in text


def test_plots_carry_the_status_so_that_filters_and_colours_hold_for_them_too(page: str) -> None:
    dots = re.findall(r'<g class="dot" data-status="(\w+)"><title>(.*?)</title>', page)
    statuses = {"Part": "partial", "Bent": "flagged"}
    assert len(dots) == 3 * len(METHODS) + 4  # against LPIPS and parameters, the diagonal; and separations
    dots = [(status, name.partition(": ")[0]) for status, name in dots]
    assert {(status, html.unescape(name)) for status, name in dots} == {
        (statuses.get(m, "measured"), m) for m in METHODS
    }


def test_charts_share_a_scale_and_start_with_the_hardest_image() -> None:
    charts = image_charts(known_entries())
    ticks = {name: re.findall(r"<text[^>]*>(\d+)</text>", chart.svg) for name, chart in charts.items()}
    assert len({tuple(found) for found in ticks.values()}) == 1
    titles = re.findall(r'<use [^>]*y="([\d.]+)"[^>]*><title>(.*?)</title>', charts["Bent"].svg)
    assert [title.partition(":")[0] for _, title in titles] == list(IMAGES)
    part = re.findall(r'<use [^>]*y="([\d.]+)"[^>]*><title>', charts["Part"].svg)
    assert float(part[0]) < float(titles[0][0])
    assert charts["Part"].words == f"PSNR on 6 images, from 28.02 dB ({IMAGES[0]}) to 32.99 dB ({IMAGES[5]})"


def test_differences_are_said_both_ways(page: str) -> None:
    found = data(page, "pair-data")
    keys = {label: key for key, label in found["labels"]}
    there, back = (found["pairs"][f"{keys[a]} {keys[b]}"] for a, b in (("Twin", FORMULA), (FORMULA, "Twin")))
    assert there.startswith(f"Twin less {FORMULA} over all images: +1 in PSNR (dB), 95 % +")
    assert "p 0.031 after correction for all pairs; better on 6 of 6 images. They are separated." in there
    assert ": -1 in PSNR" in back
    assert "better on 0 of 6 images" in back
    tied = found["pairs"][f"{keys['Twin']} {keys[EVIL]}"]
    assert "better on 3 of 6 images. Nothing separates them." in tied
    assert found["images"] == list(IMAGES)
    assert found["scores"][keys["Part"]][0] == 28.02


def test_no_p_value_is_said_of_five_images(tmp_path: Path) -> None:
    few = [replace(entry, rows=entry.rows.iloc[:5]) for entry in known_entries()]
    text = write_page(tmp_path / "p.html", build_board(few), entries=few).read_text(encoding="utf-8")
    words = data(text, "pair-data")["pairs"]
    assert all(said.endswith("Nothing separates them.") and ", median " in said for said in words.values())
    assert not any(", p " in said for said in words.values())
    assert "No rank is claimed: that needs 6 images, here are 5." in text
    assert "plot-separated" not in text
    assert "Best in" not in text


def test_groups_that_nothing_separates_are_joined(page: str) -> None:
    board = build_board(known_entries())
    groups = alike(board, compared_methods(board))
    assert [set(group) for group in groups.members] == [{"Twin", EVIL}]
    assert page.count('class="alike"') == 2  # a line and its dots
    assert f"Not separated from each other: {', '.join(groups.members[0])}." in html.unescape(page)
    loose = [known_entry(name, 30) for name in ("a", "b", "c")]
    loose[0].rows["psnr_db"] += 2
    board = build_board(loose)
    assert alike(board, compared_methods(board)).members == (("b", "c"),)


def test_the_front_joins_what_no_other_beats(page: str) -> None:
    assert pareto_front([(1, 20), (2, 25), (3, 24), (2, 26), (4, 26)], (False, True)) == [0, 3]
    assert pareto_front([(1, 1), (1, 1)], (True, True)) == [0, 1]
    text = html.unescape(page)
    assert f"no method beats Bent, {FORMULA}, Twin, Part on both axes" in text
    assert text.count('class="front"') == 1  # parameters; LPIPS has one leader, the diagonal has no front


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Nobody=x", "expected METHOD=FOLDER with a method of Bent, Twin"),
        ("Twin=nowhere", "no such folder"),
        ("Bent=.", "is given twice"),
    ],
)
def test_a_wrong_folder_of_a_method_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        method_folders(["Bent=.", text], ["Twin", "Bent"])


def test_boards_of_other_protocols_need_the_same_data() -> None:
    found = other_boards([*known_entries("paper/1"), *known_entries("direct/1")], TABLE)
    assert {name: len(board.rows) for name, board in found.items()} == {"paper/1": 5, "direct/1": 5}
    stranger = known_entry("x", 20, "paper/1")
    with pytest.raises(UserError, match=r"x\.json is not of sdd / test"):
        other_boards([replace(stranger, table=replace(stranger.table, dataset_sha256="e" * 64))], TABLE)


def test_files_follow_the_protocol(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    data = make_pairs(["a", "b"])
    table = replace(TABLE, protocol="direct/1")
    found = dataset_files(data, table, ["b"])
    assert (found.truths, found.masks) == ({"b": data / "gt" / "b.png"}, {})
    with pytest.raises(UserError, match="has no image c"):
        dataset_files(data, table, ["b", "c"])
    with pytest.raises(UserError, match="no anchor of b; run sdd-bench anchor"):
        dataset_files(data, TABLE, ["b"])
    for end in ("truth", "mask"):
        write_png(tmp_path / "anchors" / "test" / f"b.{end}.png", np.zeros((4, 4), np.uint8))
    assert dataset_files(data, TABLE, ["b"], tmp_path / "anchors").masks["b"].name == "b.mask.png"


def test_the_command_writes_the_page(tmp_path: Path, make_pairs: Callable[..., Path]) -> None:
    data = make_pairs(list(IMAGES))
    fields = {"id": "direct/1"}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    paths = []
    for entry in known_entries("direct/1"):
        images = tuple(
            {**row, "mae": mae_of(row["psnr_db"]), **image_digests(row["name"])}
            for row in entry.rows.reset_index().to_dict("records")
        )
        dataset = {"name": "sdd", "split": "test", "sha256": content_of(images)}
        block = {**fields, "sha256": digest}
        results = Results(entry.method, dataset, block, images, "measured", weights={"trunk_sha256": "f" * 64})
        paths.append(str(tmp_path / f"{len(paths)}.json"))
        results.save(Path(paths[-1]))
    page = tmp_path / "page.html"
    options = ["--out", str(tmp_path / "o.csv"), "--html", str(page), "--data", str(data)]
    done = CliRunner().invoke(root, ["leaderboard", *paths, *options, "--pred", f"{EVIL}={data / 'blur'}"])
    assert done.exit_code == 0, done.output
    assert "Compare two methods by eye</h2>" in page.read_text()
    refused = CliRunner().invoke(root, ["leaderboard", *paths, *options])
    assert "need both --data DATA and --pred METHOD=FOLDER" in refused.output
