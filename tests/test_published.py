"""The papers' numbers: all files load, all rows agree with the paper's text, damage is named."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from pathlib import Path

import pytest

import leaderboard
from leaderboard.entry import Table
from leaderboard.published import PROTOCOLS, Reported, match, method_key, read_reported, reported_for
from leaderboard.reported import reported_rows
from sdd_bench.errors import UserError

PUBLISHED = Path(leaderboard.__file__).parent / "published"
TABLES = {
    "jdrl-table1-sdd.csv": ("Table 1", "sdd", 12),
    "jdrl-table2-dpdd.csv": ("Table 2", "dpdd", 11),
    "jdrl-table3-ded.csv": ("Table 3", "ded", 3),
    "jdrl-table4-realdof.csv": ("Table 4", "realdof", 11),
    "jdrl-table5-ablation.csv": ("Table 5", "sdd", 7),
    "learnable-blur-kernel.csv": ("", "dpdd", 1),
}
METRICS = ("psnr_db", "ssim", "lpips")
RENAMED = {
    ("Table 1", "Ours [21]"): "JDRL 2023, MPRNet",
    ("Table 1", "Ours (Eq. (1))"): "JDRL, eq. (1)",
    ("Table 1", "Ours (Eq. (2))"): "JDRL, eq. (2)",
    ("Table 2", "Ours"): "JDRL, eq. (2)",
    ("Table 3", "Ours"): "JDRL, eq. (2)",
    ("Table 4", "Ours"): "JDRL, eq. (2)",
    ("Table 5", "#1 w/ L_1 loss"): "unet-l1",
    ("Table 5", "#2 w/o Cycle Deformation"): "unet-no-cycle",
    ("Table 5", "#3 w/o Calibration Mask"): "unet-no-mask",
    ("Table 5", "#4 w/o reblurring module"): "unet-no-reblur",
    ("Table 5", "#5 w/o R_kpn"): "unet-no-kpn",
    ("Table 5", "#6 w/o R_wpn"): "unet-no-wpn",
    ("Table 5", "Ours (Eq. (1))"): "unet-eq1",
}
"""Table and printed label to the method's name, for labels that do not identify the method."""

HEADERS = {("Method", "PSNR", "SSIM", "LPIPS"), ("Variant", "PSNR", "SSIM", "LPIPS")}


def cells(name: str) -> list[dict[str, str]]:
    with (PUBLISHED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plain(cell: str) -> str:
    """Return a cell of the paper's text without markup; subscripts are kept after an underscore."""
    cell = re.sub(r"\s*<sub>(.*?)</sub>(\s*(?=-))?", r"_\1", cell)
    cell = re.sub(r"</?[bu]>|\*\*|[↑↓]|\$\\(up|down)arrow\$", "", cell)
    cell = re.sub(r"\\mathcal\{(\w)\}", r"\1", cell)
    return re.sub(r"[${}]", "", cell).strip()


def printed_table(text: str, table: str) -> tuple[str, list[tuple[str, ...]]]:
    """Return the caption of a table and its rows: label, PSNR, SSIM, LPIPS as printed."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if plain(line).startswith(f"{table}:")]
    assert len(starts) == 1, f"{table} has {len(starts)} captions"
    start = next(i for i in range(starts[0] + 1, len(lines)) if "\t" in lines[i])
    split = []
    for line in lines[start:]:
        if "\t" not in line:
            break
        label, *numbers = line.split("\t")
        label, *numbers = [plain(part) for part in (label, *numbers)]
        split.append((label, *(numbers if len(numbers) > 1 else numbers[0].split("/"))))
    assert split[0] in HEADERS, f"{table} has the columns {split[0]}"
    return lines[starts[0]], split[1:]


@pytest.fixture(scope="session")
def paper(assets: Path) -> Path:
    """The folder of the papers' texts."""
    if not (assets / "paper").is_dir():
        pytest.skip("no papers' texts among the assets")
    return assets / "paper"


def test_rows_a_table() -> None:
    assert sorted(path.name for path in PUBLISHED.iterdir()) == sorted(TABLES)
    assert {name: len(cells(name)) for name in TABLES} == {name: count for name, (_, _, count) in TABLES.items()}
    loaded = Counter((row.table, row.dataset) for row in read_reported())
    assert loaded == {(table, dataset): count for table, dataset, count in TABLES.values()}


def test_numbers_are_sane() -> None:
    for row in read_reported():
        assert row.psnr_db is not None
        assert 20 < row.psnr_db < 32, row
        assert row.ssim is None or 0.6 < row.ssim < 0.9, row
        assert row.lpips is not None
        assert 0.1 < row.lpips < 0.6, row
        assert (row.params_m, row.macs_g) == (None, None)
    assert [row.method for row in read_reported() if row.ssim is None] == ["DefocusGAN"]


def test_every_row_says_where_it_is_from() -> None:
    for row in read_reported():
        assert row.source.startswith("arXiv:")
        assert (row.lpips_net == "squeeze") == (row.method == "DefocusGAN")
        assert row.table in row.source
        assert row.split == ("test" if row.dataset else "")
    assert {row.protocol for row in read_reported()} == set(PROTOCOLS)


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("jdrl")])
def test_every_number_stands_in_its_row_of_the_paper(paper: Path, name: str) -> None:
    table, dataset, _ = TABLES[name]
    text = (paper / "reblurring-guided-defocus-deblurring.md").read_text(encoding="utf-8")
    caption, printed = printed_table(text, table)
    ours = cells(name)
    assert dataset in caption.lower()
    assert [(row["row"], *(row[m] for m in METRICS)) for row in ours] == printed
    for row in ours:
        expected = RENAMED.get((table, row["row"]), re.sub(r" \[\d+\]$", "", row["row"]))
        assert (row["table"], row["dataset"], row["method"]) == (table, dataset, expected)


def test_the_blur_kernel_paper_names_these_numbers_and_no_dataset(paper: Path) -> None:
    text = (paper / "learnable-blur-kernel.md").read_text(encoding="utf-8")
    (row,) = cells("learnable-blur-kernel.csv")
    assert re.findall(r"PSNR (\S+) dB and LPIPS (\d\.\d+)", text) == [(row["psnr_db"], row["lpips"])]
    assert f"({row['method']})" in text
    assert row["paper"].partition("Zhai et al., ")[2] in text.splitlines()[0]
    assert not re.search(r"\b(SDD|DPDD|DED|RealDOF|LFDOF|SSIM|Table)\b", text)


@pytest.mark.parametrize(
    ("name", "psnr"),
    [
        ("Restormer", 26.39),
        ("restormer [15]", 26.39),
        ("GRL-S B", 26.43),
        ("GRL\u2011S\u2013B", 26.43),
        ("DPDNetS", 24.81),
        ("DMENet.", 24.02),
        ("JDRL (Eq. 2)", 26.92),
        ("JDRL, eq. (1)", 26.85),
        ("UNet EQ1", 25.94),
        ("unet-l1", 24.62),
        ("Ours", None),
        ("Restormer+", None),
        ("restormer-like", None),
        ("IFAN", None),
        ("DPDNet", None),
        ("[15]", None),
        ("", None),
    ],
)
def test_a_measured_method_finds_its_row(name: str, psnr: float | None) -> None:
    found = match(name, reported_for("sdd", "test"))
    assert (found.psnr_db if found else None) == psnr


def test_rows_of_several_datasets_are_not_matched() -> None:
    with pytest.raises(ValueError, match="'Restormer' stands in 4 rows"):
        match("Restormer", read_reported())


def test_every_row_finds_itself() -> None:
    for row in read_reported():
        assert match(row.method.upper(), reported_for(row.dataset, row.split)) == row


def test_a_split_without_reported_rows() -> None:
    assert reported_for("sdd", "train") == reported_for("lfdof", "test") == ()


def test_signs_that_tell_methods_apart_stay() -> None:
    names = ["A", "A+", "A*", "A++", "A/2", "A 2"]
    assert len({method_key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("psnr_db", "26,39", "psnr_db = '26,39': expected a number"),
        ("psnr_db", "nan", "psnr_db = 'nan': expected a number"),
        ("psnr_db", "263.9", "psnr_db = '263.9': expected at most 100"),
        ("ssim", "80.6", "ssim = '80.6': expected at most 1"),
        ("lpips", "-0.3", "lpips = '-0.3': expected at least 0"),
        ("lpips", "1.3", "lpips = '1.3': expected at most 1"),
        ("method", " - ", "method '-' is no name"),
        ("paper", "", "paper = '': expected at least 1 character"),
        ("source", "", "source = '': expected at least 1 character"),
        ("table", "", "table and row go together"),
        ("dataset", "SDD", "unknown dataset 'SDD'"),
        ("split", "val", "dataset 'sdd' has no split 'val'"),
        ("protocol", "paper/1", "unknown protocol 'paper/1', expected one of paper/1-like"),
        ("method", "JNB", "'JNB' on this dataset and split stands in t.csv line 2 already"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, column: str, value: str, words: str) -> None:
    write(tmp_path / "t.csv", 7, column, value)
    with pytest.raises(UserError) as caught:
        read_reported(tmp_path)
    assert caught.value.message.startswith(f"{tmp_path}: t.csv line 8: ")
    assert words in caught.value.message


def test_all_damaged_rows_of_all_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 2, "ssim", "x")
    write(tmp_path / "b.csv", 4, "dataset", "x")
    with pytest.raises(UserError) as caught:
        read_reported(tmp_path)
    assert "a.csv line 3: ssim = 'x': expected a number" in caught.value.message
    assert "b.csv line 6: unknown dataset" not in caught.value.message
    assert "b.csv line 5: unknown dataset 'x'" in caught.value.message


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("method,psnr_db\nA,20\n")
    with pytest.raises(UserError, match=r"t\.csv: missing column ssim, lpips, table"):
        read_reported(tmp_path)


def test_a_row_needs_a_number_and_costs_are_positive() -> None:
    row = read_reported()[0]
    values = row.model_dump()
    with pytest.raises(ValueError, match="none of psnr_db, ssim, lpips is given"):
        Reported(**values | {"psnr_db": None, "ssim": None, "lpips": None})
    with pytest.raises(ValueError, match=r"params_m\n.* greater than 0"):
        Reported(**values | {"params_m": 0.0})
    costly = Reported(**values | {"params_m": 26.1, "macs_g": 140.0})
    assert (costly.params_m, costly.macs_g, costly.psnr_db) == (26.1, 140.0, row.psnr_db)


def test_costs_are_read_where_a_file_has_them(tmp_path: Path) -> None:
    text = (PUBLISHED / "learnable-blur-kernel.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "t.csv").write_text(f"{text[0]},params_m,macs_g\n{text[1]},4.58,\n")
    assert [(row.params_m, row.macs_g) for row in read_reported(tmp_path)] == [(4.58, None)]


def write(path: Path, index: int, column: str, value: str) -> None:
    """Write Table 1 with one cell of its row `index` (from 1) changed."""
    rows = cells("jdrl-table1-sdd.csv")
    rows[index - 1][column] = value
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_lpips_of_another_network_stands_in_no_column() -> None:
    table = Table("dpdd", "d" * 64, "test", "direct/1", "p" * 64)
    rows = reported_rows(table).set_index("method")
    assert math.isnan(rows.loc["DefocusGAN", "reported_lpips"])
    assert rows.loc["DefocusGAN", "reported_psnr_db"] == 25.56
    assert rows.loc["DefocusGAN", "source"].endswith("LPIPS 0.111 with another network, squeeze")
    assert rows.loc["Restormer", "reported_lpips"] == 0.158
