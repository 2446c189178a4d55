"""Command `sdd-bench ingest`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.option_values import workers
from sdd_bench.commands.options import (
    OutputFile,
    ResumableCommand,
    grey_option,
    overwrite_option,
    values_option,
    workers_options,
)
from sdd_bench.commands.script_output import say

if TYPE_CHECKING:
    from capture.develop import Development
    from capture.first_look import FirstLook
    from capture.ingest import Outcome
    from capture.session import Session
    from sdd_bench.jobs.workers import Workers

SHOWN = 20


@click.command("ingest", cls=ResumableCommand, short_help="Turn camera sessions into checked pairs.")
@click.argument("sessions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for the pairs: a new one, or one of an earlier ingest.",
)
@click.option(
    "--init", "init", is_flag=True, help="Only write a first session.toml and contact sheet into each session."
)
@click.option("--session-name", default=None, help="Prefix of the pairs' names.  [default: the folder's name]")
@click.option(
    "--bits", type=click.Choice(["8", "16"]), default="16", show_default=True, help="Bits per channel of developed RAW."
)
@click.option(
    "--demosaic", default="AHD", show_default=True, help="Demosaicing method of LibRaw: AHD, DCB, VNG, PPG, ..."
)
@click.option(
    "--half-size", is_flag=True, help="Develop at half width and height, without demosaicing, for a quick look."
)
@click.option(
    "--match-exposure",
    is_flag=True,
    help="Match each blur shot's exposure to its sharp shot, by one recorded gain per channel.",
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Dataset to search for duplicates of the new pairs; can be repeated.",
)
@click.option("--archive", type=OutputFile("pairs.h5"), default=None, help="HDF5 file to write the pairs to as well.")
@click.option(
    "--raw-shape",
    type=(click.IntRange(2), click.IntRange(2)),
    default=None,
    metavar="HEIGHT WIDTH",
    help="Size of headerless RAW dumps; needed to read them.",
)
@click.option(
    "--raw-pattern",
    type=click.Choice(["RGGB", "BGGR", "GRBG", "GBRG"]),
    default="RGGB",
    show_default=True,
    help="Bayer pattern of dumps: colours of the first 2x2 samples.",
)
@click.option("--raw-bits", type=click.IntRange(8, 16), default=16, show_default=True, help="Bits per sample of dumps.")
@click.option("--raw-black", type=click.IntRange(0), default=0, show_default=True, help="Black level of dumps.")
@click.option(
    "--raw-white-balance",
    type=(click.FloatRange(0.05, 20), click.FloatRange(0.05, 20)),
    default=(1.0, 1.0),
    show_default=True,
    metavar="RED BLUE",
    help="White balance of dumps: gains of red and blue relative to green.",
)
@grey_option
@values_option("photographs")
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
    values_as: str,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Develop, check and pair the shots of camera sessions.

    Each of SESSIONS is a folder of RAW, PNG, TIFF or JPEG files. Its session.toml or session.csv says which shots show
    the same scene and which of them is sharp; --init writes a first one, with contact-sheet.html to correct it.
    Originals are only read. Run the command again after a change: it does only what changed.

    \b
    Example:
      sdd-bench ingest --init cards/harbour
      sdd-bench ingest cards/harbour --out data/raw
      sdd-bench prepare data/raw --dataset sdd --out data/mine
    """
    from capture.develop import DEMOSAICS, Development
    from capture.dump import Dump
    from capture.ingest import Settings, ingest
    from sdd_bench.datasets.archive import check_target
    from sdd_bench.errors import UserError
    from sdd_bench.io.values_as import parse_values_as
    from sdd_bench.jobs.outputs import Output, place, written

    if demosaic not in DEMOSAICS:
        raise UserError(f"--demosaic {demosaic}: expected one of {', '.join(DEMOSAICS)}")
    if raw_shape and raw_black >= 2**raw_bits - 1:
        raise UserError(f"--raw-black {raw_black}: expected less than white, {2**raw_bits - 1}")
    dump = Dump(*raw_shape, raw_pattern, raw_bits, raw_black, *raw_white_balance) if raw_shape else None
    how = Development(int(bits), demosaic, half_size, dump, grey, parse_values_as(values_as).text)
    if init:
        _init(sessions, out, how, workers(jobs, scheduler))
        return
    if out is None:
        raise UserError("no output folder: give --out FOLDER, or --init to write a first description")
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
        say(f"written: {archive}")
    if not accepted:
        raise UserError(f"{out}: no pair was accepted; see refused.csv and session-report.html for the reasons")


def _init(folders: tuple[Path, ...], out: Path | None, how: Development, jobs: Workers) -> None:
    """Write the first descriptions and contact sheets, and print what the user must check and type next."""
    from capture.first_look import check_target, write_first_look
    from capture.next_command import next_command

    command = next_command(folders, out)
    for folder in folders:
        check_target(folder)
    for folder in folders:
        _print_first_look(write_first_look(folder, how, jobs, command))
    say(f"next: {command}")


def _print_first_look(found: FirstLook) -> None:
    """Print a summary of a first description and its uncertain parts."""
    draft = found.draft
    roles = [(shot.scene, shot.role) for shot in draft.shots]
    scenes = len({scene for scene, role in roles if role == "gt"})
    pairs = sum(role == "blur" for _, role in roles)
    rest = sum(role == "extra" for _, role in roles)
    say(f"{found.description}: {len(draft.shots)} shots, {scenes} scenes, {pairs} pairs, {rest} shots left out")
    if draft.seconds:
        (file, taken), count = next(iter(draft.seconds.items())), len(draft.seconds)
        words = f"the exposure of another, which is taken ({file}: {taken})"
        say(f"  {count} file{' shows' if count == 1 else 's show'} {words}")
    for shot in [shot for shot in draft.shots if shot.scene == "faulty"][:SHOWN]:
        say(f"  cannot be developed: {shot.file} ({shot.notes})")
    for scene, files in list(draft.equal.items())[:SHOWN]:
        say(f"  equally sharp: {scene}: {', '.join(files)}; which of them is sharp (gt)?")
    if len(draft.equal) > SHOWN:
        say(f"  ... and {len(draft.equal) - SHOWN} more scenes; see the contact sheet")
    if not pairs:
        say("  no pair: a scene needs two shots that look alike, one of them sharper")
    say(f"check {found.sheet}: correct scenes and roles there and save it, or edit {found.description.name}")


def _read_sessions(folders: tuple[Path, ...], name: str | None) -> dict[str, Session]:
    """Return the sessions by name.

    Raises:
        UserError: A description has faults, two sessions have the same name, or a name cannot be used in file names.
    """
    import re

    from capture.ingest import session_name
    from capture.session import read_session
    from sdd_bench.errors import UserError

    if name is not None and len(folders) > 1:
        raise UserError(f"--session-name {name}: expected with one session, not {len(folders)}")
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(
            f"--session-name {name!r}: expected letters, digits, '.', '-' and '_', because file names begin with it"
        )
    named: dict[str, Session] = {}
    for folder in folders:
        session = read_session(folder)
        own = name or session_name(folder)
        if own.casefold() in map(str.casefold, named):
            raise UserError(
                f"{folder}: another session is named {own} as well; ingest it alone with --session-name NAME"
            )
        named[own] = session
    return named


def _print_outcome(outcome: Outcome) -> None:
    for session in outcome.sessions:
        counts = outcome.counts(session)
        say(
            f"{session}: {counts.total()} pairs: {counts['accepted']} accepted, {counts['warning']} with a warning, "
            f"{counts['refused']} refused"
        )
        marked = [r for r in outcome.records if r.session == session and r.verdict.reasons]
        for record in sorted(marked, key=lambda r: (r.verdict.status != "refused", r.name))[:SHOWN]:
            say(f"  {record.verdict.status}: {record.name}: {'; '.join(record.verdict.reasons)}")
        if len(marked) > SHOWN:
            say(f"  ... and {len(marked) - SHOWN} more, see pairs.csv and refused.csv")
    total = sum(outcome.counts(session).total() for session in outcome.sessions)
    say(f"{outcome.done} of {total} developed now" if outcome.done else "nothing has changed")
    say(f"written: {outcome.out} with pairs.csv, refused.csv and session-report.html")
