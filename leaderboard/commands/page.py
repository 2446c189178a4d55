"""Command `sdd-bench page`: the page of one method, written for `evaluate --html`."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.options import OutputFile, overwrite_option


@click.command("page", hidden=True, short_help="Write the page of one method's results.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", required=True, type=OutputFile("page.html"), metavar="FILE", help="The page to write.")
@click.option("--data", type=click.Path(path_type=Path), help="The dataset, for the page's pictures.")
@click.option(
    "--sharp", type=click.Path(path_type=Path), help="Folder of sharp images, if --data is one of blur images."
)
@click.option("--pred", "predictions", type=click.Path(path_type=Path), help="The predictions, for its pictures.")
@click.option(
    "--anchors", type=click.Path(path_type=Path), help="Folder of the dataset's anchors.  [default: DATA/anchors]"
)
@overwrite_option
def command(
    results: tuple[Path, ...],
    html: Path,
    data: Path | None,
    sharp: Path | None,
    predictions: Path | None,
    anchors: Path | None,
    overwrite: bool,
) -> None:
    """Write the page of one method: the table of the first of RESULTS, the others beside it."""
    from leaderboard.page.data import PictureSources, build_page
    from leaderboard.reading import read_entries
    from leaderboard.reported import add_reported
    from leaderboard.table import build_board
    from sdd_bench.commands.scoring import page_output
    from sdd_bench.jobs.outputs import written

    entries = read_entries(results)
    sources = None
    if data is not None and predictions is not None:
        sources = PictureSources(data, {entries[0].method.name: predictions}, anchors, sharp=sharp)
    method, table = entries[0].method.name, entries[0].table
    output = page_output(html, method, table.dataset, table.split, table.protocol)
    inputs = [*results, *(path for path in (data, sharp, predictions, anchors) if path is not None)]
    with written([output], inputs, overwrite=overwrite):
        click.echo(f"page: {build_page(html, add_reported(build_board(entries[:1])), None, entries, sources)}")
