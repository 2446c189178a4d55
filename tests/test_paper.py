"""Outputs for a paper and a site from several tables: side by side, crops, pages."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from known_cli import call
from known_results import write_results

from leaderboard.entry import read_entry
from leaderboard.published_tables import write_published
from leaderboard.reported import reported_rows
from leaderboard.table import build_board
from leaderboard.wide import wide_csv, wide_latex, wide_markdown, wide_table
from sdd_bench.evaluation.results import Results
from sdd_bench.io.text import read_json

NAMES = ("[12] Restormer", "*Ours", "50% of a_b & \\input{x}", "Twin")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of four methods on two datasets under two protocols; the last method has results on one dataset only."""
    folder = tmp_path_factory.mktemp("results")
    for dataset, less in (("sdd", 0.0), ("dpdd", 3.0)):
        for protocol, more in (("direct/1", 0.0), ("paper/1", 2.0)):
            for place, name in enumerate(NAMES):
                if name == "Twin" and dataset == "dpdd":
                    continue
                level = 26.0 - less + more - max(place - 1, 0) + (0.0 if place else 1.0)
                scores = [level + 0.3 * image + 0.01 * place * (-1) ** image for image in range(8)]
                (folder / dataset).mkdir(exist_ok=True)
                write_results(folder / dataset, name, scores, protocol=protocol, dataset=dataset, images=dataset)
    return folder


def files(results: Path) -> list[Path]:
    return sorted(results.rglob("*.json"))


def test_several_tables_are_written_apart(results: Path, tmp_path: Path) -> None:
    found = call("leaderboard", *files(results), "--out", tmp_path / "board.csv")
    assert found.exit_code == 0, found.output
    assert {path.name for path in tmp_path.glob("*.csv") if "pairwise" not in path.name} == {
        f"board.{split}.{protocol}.csv" for split in ("sdd-test", "dpdd-test") for protocol in ("direct-1", "paper-1")
    }
    with (tmp_path / "board.dpdd-test.paper-1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"].lstrip("'") for row in rows] == list(NAMES[:3])
    assert {(row["dataset"], row["protocol"]) for row in rows} == {("dpdd", "paper/1")}


def test_results_of_one_table_that_differ_are_refused(results: Path, tmp_path: Path) -> None:
    other = write_results(tmp_path, "Else", [20.0] * 8, images="others")
    found = call("leaderboard", *sorted((results / "sdd").glob("*direct*.json")), other, "--out", tmp_path / "b.csv")
    assert found.exit_code == 1
    assert "results that cannot share a table differ" in found.output
    assert not (tmp_path / "b.csv").exists()


def test_the_wide_table_marks_ranks_and_leaves_gaps(results: Path) -> None:
    boards = [
        build_board([read_entry(path) for path in sorted((results / dataset).glob("*direct*.json"))])
        for dataset in ("sdd", "dpdd")
    ]
    wide = wide_table(boards, [reported_rows(board.table) for board in boards])
    assert set(wide.measured) == set(NAMES)
    table = wide_latex(wide, "tab:all")
    assert r"\label{tab:all}" in table
    assert table.count(r"\multicolumn{3}{c}") == 2
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in table
    line = next(line for line in table.splitlines() if "Twin" in line)
    assert line.endswith(r"-- & -- & -- \\")
    assert line.startswith("{}Twin")
    assert r"\textbf{28.05}" in next(line for line in table.splitlines() if "Restormer &" in line)
    assert r"{}Restormer$^{\ddagger}$ & 26.39 & 0.806 & -- & 26.65 & 0.850 & -- \\" in table
    assert "not comparable with the others and not ranked" in table
    assert "Means over 8 images (sdd test, direct/1)" in table
    doubted = replace(wide.groups[0], doubtful={"Twin": "flagged"})
    marked = wide_latex(replace(wide, groups=(doubted, *wide.groups[1:])))
    assert r"$^{\dagger}$ & " in next(line for line in marked.splitlines() if "Twin" in line)
    assert "Dagger: flagged." in marked
    text = wide_markdown(wide)
    assert "| Twin |" in text
    assert "(reported)" in text
    rows = list(csv.DictReader(wide_csv(wide).splitlines()))
    assert {row["status"] for row in rows} == {"measured", "reported"}
    assert {row["place"] for row in rows if row["status"] == "reported"} == {""}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_tables_compile(results: Path, tmp_path: Path) -> None:
    found = call(
        "leaderboard", *files(results), "--out", tmp_path / "b.csv", "--wide", "--published", "--label", "tab:x",
        "--tex-intervals", "--baseline", "*Ours",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    tables = sorted(path.name for path in tmp_path.glob("*.tex"))
    assert len(tables) == 5
    run = compiled(tmp_path, r"\documentclass{article}\usepackage[a3paper,landscape]{geometry}")
    assert run.returncode == 0, run.stdout[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 10_000


def test_the_papers_own_tables_are_as_printed(results: Path, tmp_path: Path) -> None:
    found = call("leaderboard", files(results)[0], "--out", tmp_path / "b.csv", "--papers", tmp_path / "papers")
    assert found.exit_code == 0, found.output
    tables = {path.name: path.read_text() for path in sorted((tmp_path / "papers").glob("*.tex"))}
    assert list(tables)[:4] == [
        "ren-table-1-sdd.tex", "ren-table-2-dpdd.tex", "ren-table-3-ded.tex", "ren-table-4-realdof.tex",
    ]  # fmt: skip
    first = tables["ren-table-1-sdd.tex"]
    assert r"{}JDRL, eq. (2) & \textbf{26.92} & \textbf{0.813} & \textbf{0.251} \\" in first
    assert r"{}JDRL 2023, MPRNet & \underline{26.88} & \underline{0.810} & \underline{0.265} \\" in first
    assert r"\label{tab:ren-table-1-sdd}" in first
    assert "Numbers of Table 1 of Ren et al." in first
    assert "on sdd / test, as printed there and not measured here" in first
    again = call("leaderboard", files(results)[0], "--out", tmp_path / "b.csv", "--papers", tmp_path / "papers")
    assert again.exit_code == 0, again.output


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_papers_own_tables_compile_and_fit_into_a_column(tmp_path: Path) -> None:
    write_published(tmp_path)
    run = compiled(tmp_path, r"\documentclass[twocolumn]{article}\usepackage[a4paper,margin=2cm]{geometry}")
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
    assert (tmp_path / "all.pdf").stat().st_size > 10_000


def compiled(folder: Path, head: str) -> subprocess.CompletedProcess[str]:
    """Compile every LaTeX table of a folder in one document."""
    body = "\n".join(rf"\input{{{path.name}}}\clearpage" for path in sorted(folder.glob("*.tex")))
    (folder / "all.tex").write_text(rf"{head}\usepackage{{booktabs}}\begin{{document}}{body}\end{{document}}")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_site_has_every_table_method_and_number(results: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    found = call("leaderboard", *files(results), "--out", tmp_path / "b.csv", "--site", site)
    assert found.exit_code == 0, found.output
    assert f"site: {site}/index.html" in found.output
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 1 + 4 + 4
    for page in pages:  # all links lead to files of the site, nothing is loaded from elsewhere
        text = page.read_text(encoding="utf-8")
        for address in re.findall(r'href="([^"#][^"]*)"', text):
            if not address.startswith(("data:", "https://", "http://")):
                assert (page.parent / address).is_file(), (page, address)
        assert not re.search(r'(src|@import)\s*=?\s*"?(https?:)?//', text)
        assert "\\input{x}</script" not in text
    assert len(read_json(site / "site.json")) == 4
    copies = sorted((site / "results").glob("*.json"))
    assert sorted(path.read_bytes() for path in copies) == sorted(path.read_bytes() for path in files(results))
    again = call("leaderboard", *files(results), "--out", tmp_path / "b.csv", "--site", site)
    assert again.exit_code == 0, again.output


def test_the_crops_of_a_paper(scored: dict[str, Results], judged: Path, tmp_path: Path) -> None:
    judged_data = shutil.copytree(judged, tmp_path / "copy")
    assert scored["honest"].status == scored["filtered"].status == "measured"
    results = [judged_data / f"{name}.anchored-2.json" for name in ("honest", "filtered")]
    common = ("leaderboard", *results, "--out", tmp_path / "b.csv", "--data", judged_data / "data")
    pred = ("--pred", f"honest={judged_data / 'honest'}", "--pred", f"filtered={judged_data / 'filtered'}")
    found = call(*common, *pred, "--grid", tmp_path / "crops.pdf")
    assert found.exit_code == 0, found.output
    assert (tmp_path / "crops.pdf").read_bytes().startswith(b"%PDF")
    first = (tmp_path / "crops.png").read_bytes()
    again = call(*common, *pred, "--grid", tmp_path / "crops.pdf")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "crops.png").read_bytes() == first
    wrong = call(*common, *pred, "--grid", tmp_path / "crops.pdf", "--grid-images", "a,nobody")
    assert wrong.exit_code == 1
    assert "no image nobody" in wrong.output or "--grid-images nobody" in wrong.output
    assert call(*common, *pred, "--grid", tmp_path / "crops.svg").exit_code == 1
    assert "Needs --data" in " ".join(call("leaderboard", "--help").output.split())
