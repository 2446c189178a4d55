"""Command `sdd-bench stability`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.options import OutputFile, overwrite_option
from sdd_bench.commands.script_output import say


@click.command("stability", short_help="Show how a ranking changes with protocol, flow, metric and images.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=OutputFile("stability.csv"),
    default=Path("stability.csv"),
    show_default=True,
    help="CSV file to write; a Markdown table is written beside it.",
)
@click.option("--reference", default="anchored/2", show_default=True, help="Protocol whose ranking is the reference.")
@overwrite_option
def command(results: tuple[Path, ...], out: Path, reference: str, overwrite: bool) -> None:
    """Show how a ranking changes with protocol, flow, metric and the sample of images.

    RESULTS are the JSON files that evaluate wrote for several methods on one split, or the folders that submit wrote,
    under any number of protocols and flow estimators. Each ranking is compared with the reference ranking by PSNR.

    \b
    Example:
      sdd-bench stability results/*.sdd-test.*.json --out stability.csv
      sdd-bench stability entries/*/
    """
    from leaderboard.csv_files import texts
    from leaderboard.formats import aligned
    from leaderboard.reading import read_entries
    from leaderboard.stability import stability, stability_markdown
    from sdd_bench.errors import UserError
    from sdd_bench.io.files import write_text
    from sdd_bench.io.serialise import frame_csv
    from sdd_bench.jobs.outputs import Output, written

    if out.suffix != ".csv":
        raise UserError(f"--out {out}: expected the name of a CSV file")
    entries = read_entries(results)
    table = entries[0].table
    request = {"stability of": table.dataset, "split": table.split, "reference": reference}
    request["content of the dataset"] = table.dataset_sha256
    with written([Output(request, (out, out.with_suffix(".md")))], results, overwrite=overwrite):
        rows = stability(entries, reference)
        cells = texts(rows)
        write_text(out, frame_csv(cells))
        write_text(out.with_suffix(".md"), stability_markdown(rows))
    shown = cells.drop(columns="swaps").rename(columns={"swapped": "pairs that swap"})
    say(aligned(shown, {"changed", "protocol", "flow", "metric"}))
    for row in rows[rows["swaps"] != ""].itertuples():
        say(f"\n{row.changed}: {row.protocol}, {row.metric}\n  " + str(row.swaps).replace("; ", "\n  "))
    say(f"\nwritten: {out} and {out.with_suffix('.md').name}")
