"""sdd-bench ingest: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import (
    OutputFile,
    ResumableCommand,
    grey_option,
    overwrite_option,
    workers,
    workers_options,
)

if TYPE_CHECKING:
    from capture.develop import Development
    from capture.ingest import Outcome
    from capture.session import Session
    from sdd_bench.jobs.workers import Workers

SHOWN = 20


@click.command("ingest", cls=ResumableCommand, short_help="A camera session to checked pairs.")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of the pairs, new or ingested into.")
@click.option("--init", "init", is_flag=True, help="Write each session's first session.toml from its files, no more.")
@click.option("--session-name", default=None, help="First part of the pairs' names.  [default: the folder's name]")
@click.option("--bits", type=click.Choice(["8", "16"]), default="16", show_default=True, help="Of developed RAW.")
@click.option("--demosaic", default="AHD", show_default=True, help="As LibRaw calls them: AHD, DCB, VNG, PPG, ...")
@click.option("--half-size", is_flag=True, help="Half width and height, without demosaicing: a quick look.")
@click.option("--match-exposure", is_flag=True, help="Give each blur shot its gt's light, one recorded gain a channel.")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A dataset whose views are looked for among the pairs; may be given again.",
)
@click.option("--archive", type=OutputFile("pairs.h5"), default=None, help="Write the pairs to one HDF5 file too.")
@click.option(
    "--raw-shape", type=(click.IntRange(2), click.IntRange(2)), default=None, metavar="HEIGHT WIDTH", help="Dumps."
)
@click.option(
    "--raw-pattern",
    type=click.Choice(["RGGB", "BGGR", "GRBG", "GBRG"]),
    default="RGGB",
    show_default=True,
    help="Dumps: colours of the first 2x2 samples.",
)
@click.option("--raw-bits", type=click.IntRange(8, 16), default=16, show_default=True, help="Dumps: bits of a sample.")
@click.option(
    "--raw-black", type=click.IntRange(0), default=0, show_default=True, help="Dumps: a sample without light."
)
@click.option(
    "--raw-white-balance",
    type=(click.FloatRange(0.05, 20), click.FloatRange(0.05, 20)),
    default=(1.0, 1.0),
    show_default=True,
    metavar="RED BLUE",
    help="Dumps: factors against green.",
)
@grey_option
@overwrite_option
@workers_options
def command(
    sessions: tuple[Path, ...],
    out: Path | None,
    init: bool,
    session_name: str | None,
    bits: str,
    demosaic: str,
    half_size: bool,
    match_exposure: bool,
    against: tuple[Path, ...],
    archive: Path | None,
    raw_shape: tuple[int, int] | None,
    raw_pattern: str,
    raw_bits: int,
    raw_black: int,
    raw_white_balance: tuple[float, float],
    grey: str,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Develop, check and pair the shots of camera sessions.

    Each of SESSIONS is a folder of RAW, PNG, TIFF or JPEG files with a description, session.toml or session.csv, that
    says which shots show one scene and which is sharp; --init writes a first one. Originals are only read. Given again,
    the command does what changed.

    \b
    Example:
      sdd-bench ingest --init cards/harbour
      sdd-bench ingest cards/harbour --out data/raw
      sdd-bench prepare data/raw --dataset sdd --out data/mine
    """
    from capture.develop import DEMOSAICS, Development, Dump
    from capture.ingest import Settings, ingest
    from sdd_bench.datasets.archive import check_target
    from sdd_bench.errors import UserError
    from sdd_bench.jobs.outputs import Output, place, written

    if demosaic not in DEMOSAICS:
        raise UserError(f"--demosaic {demosaic}: expected one of {', '.join(DEMOSAICS)}")
    if raw_shape and raw_black >= 2**raw_bits - 1:
        raise UserError(f"--raw-black {raw_black}: expected less than white, {2**raw_bits - 1}")
    dump = Dump(*raw_shape, raw_pattern, raw_bits, raw_black, *raw_white_balance) if raw_shape else None
    how = Development(int(bits), demosaic, half_size, dump, grey)
    if init:
        _init(sessions, how, workers(jobs, scheduler))
        return
    if out is None:
        raise UserError("no --out: expected the folder to write the pairs to, or --init for a first description")
    named = _read_sessions(sessions, session_name)
    archives = []
    if archive is not None:
        check_target(archive)
        archives.append(Output({"pairs of": place(out, archive)}, (archive,), option="--archive"))
    with written(archives, [*sessions, *against], overwrite=overwrite):
        outcome = ingest(named, out, Settings(how, match_exposure, against, archive), workers(jobs, scheduler))
    _print_outcome(outcome)
    accepted = any(status != "refused" for status in outcome.counts())
    if archive is not None and accepted:
        click.echo(f"written: {archive}")
    if not accepted:
        raise UserError(f"{out}: no pair was accepted; the reasons stand in refused.csv and session-report.html")


def _init(folders: tuple[Path, ...], how: Development, jobs: Workers) -> None:
    """Write and print the first descriptions."""
    from capture.draft import write_draft
    from capture.session import refuse_existing

    for folder in folders:
        refuse_existing(folder)
    for folder in folders:
        path, shots = write_draft(folder, how, jobs)
        roles = [(shot.scene, shot.role) for shot in shots]
        scenes = len({scene for scene, role in roles if role == "gt"})
        pairs = sum(role == "blur" for _, role in roles)
        rest = sum(role == "extra" for _, role in roles)
        click.echo(f"{path}: {len(shots)} shots, {scenes} scenes, {pairs} pairs, {rest} shots left alone")
        for shot in [shot for shot in shots if shot.scene == "faulty"][:SHOWN]:
            click.echo(f"  cannot be developed: {shot.file} ({shot.notes})")
        if not pairs:
            click.echo("  no pair: a scene needs two shots that look alike, one of them sharper; correct the file")
    click.echo("correct what is wrong there, then: sdd-bench ingest SESSION --out RAWDATA")


def _read_sessions(folders: tuple[Path, ...], name: str | None) -> dict[str, Session]:
    """Return the sessions by name.

    Raises:
        UserError: Faults of their descriptions, two sessions of one name, a name that no file can have.
    """
    import re

    from capture.ingest import session_name
    from capture.session import read_session
    from sdd_bench.errors import UserError

    if name is not None and len(folders) > 1:
        raise UserError(f"--session-name {name}: expected with one session, not {len(folders)}")
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(f"--session-name {name!r}: expected letters, digits, '.', '-' and '_', it begins file names")
    named: dict[str, Session] = {}
    for folder in folders:
        session = read_session(folder)
        own = name or session_name(folder)
        if own.casefold() in map(str.casefold, named):
            raise UserError(f"{folder}: a second session named {own}; ingest it alone, with --session-name")
        named[own] = session
    return named


def _print_outcome(outcome: Outcome) -> None:
    for session in outcome.sessions:
        counts = outcome.counts(session)
        click.echo(
            f"{session}: {counts.total()} pairs: {counts['accepted']} accepted, {counts['warning']} with a warning, "
            f"{counts['refused']} refused"
        )
        marked = [r for r in outcome.records if r.session == session and r.verdict.reasons]
        for record in sorted(marked, key=lambda r: (r.verdict.status != "refused", r.name))[:SHOWN]:
            click.echo(f"  {record.verdict.status}: {record.name}: {'; '.join(record.verdict.reasons)}")
        if len(marked) > SHOWN:
            click.echo(f"  ... and {len(marked) - SHOWN} more, see pairs.csv and refused.csv")
    total = sum(outcome.counts(session).total() for session in outcome.sessions)
    click.echo(f"{outcome.done} of {total} developed now" if outcome.done else "nothing had changed")
    click.echo(f"written: {outcome.out} with pairs.csv, refused.csv and session-report.html")
