"""sdd-bench leaderboard: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("leaderboard")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.csv"),
    show_default=True,
    help="The CSV to write.",
)
@click.option(
    "--sort",
    type=click.Choice(["psnr", "ssim", "lpips", "mae"]),
    default="psnr",
    show_default=True,
    help="The metric that ranks.",
)
def command(results: tuple[Path, ...], out: Path, sort: str) -> None:
    """Rank results files of one dataset, split and protocol.

    RESULTS are the JSON files that evaluate wrote. Results of different datasets, splits or protocols are
    refused, with a line that says in what they differ. Partial results are listed and not ranked.

    \b
    Example:
      sdd-bench leaderboard results/*.sdd-test.paper-1.json --out leaderboard.csv
    """
    from leaderboard.entry import read_entry
    from leaderboard.table import check_comparable, leaderboard_csv, rank, text_table
    from sdd_bench.errors import UserError
    from sdd_bench.image_io import write_text

    if out.suffix == ".json" or out in results:
        raise UserError(f"--out {out}: expected the name of a CSV file")
    entries = [read_entry(path) for path in results]
    table = check_comparable(entries)
    rows = rank(entries, "psnr_db" if sort == "psnr" else sort)
    write_text(out, leaderboard_csv(rows))
    click.echo(f"{table.dataset} / {table.split} under {table.protocol} (sha256 {table.protocol_sha256[:12]})")
    click.echo(text_table(rows))
    click.echo(f"written: {out}")
