"""Command line of sdd-bench: subcommands are found by entry point and loaded when called."""

from __future__ import annotations

import difflib
import io
import os
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import click

from sdd_bench.commands.options import ResumableCommand
from sdd_bench.commands.script_output import warn
from sdd_bench.errors import DEBUG_VARIABLE, machine_fault, show_traceback
from sdd_bench.jobs.interrupt import end_now, end_on_interrupt
from sdd_bench.version import __version__

GROUP = "sdd_bench.commands"
"""Entry-point group that maps names of subcommands to click commands."""

SECTIONS = {
    "Data": ("ingest", "prepare", "synthesise", "analyse", "anchor"),
    "Scoring": ("evaluate", "leaderboard", "stability", "submit", "verify", "codabench"),
    "Training": ("train-baseline", "predict", "blur-map", "score-maps", "profile"),
    "Tools": ("demo", "doctor"),
}
"""Commands under each heading of --help, in the order of a typical workflow."""

OTHER = "Other"
"""Heading of the commands of other packages."""

FIRST_STEPS = (
    ("sdd-bench demo", "See the whole loop on data it makes itself: two minutes, no download."),
    ("sdd-bench evaluate --pred restored/ --blur blur/ --sharp sharp/", "Score a folder of your own images."),
    ("sdd-bench doctor", "Check the installation, weights and data."),
    ("sdd-bench --help", "List all commands."),
)
"""First commands to type, with a description of each."""

COMPLETION = """\b
Shell completion, one line for the start-up file of your shell:
  bash  eval "$(_SDD_BENCH_COMPLETE=bash_source sdd-bench)"
  zsh   eval "$(_SDD_BENCH_COMPLETE=zsh_source sdd-bench)"
  fish  _SDD_BENCH_COMPLETE=fish_source sdd-bench | source
"""

ALIASES = {"synthesize": "synthesise", "analyze": "analyse"}


@cache
def offered() -> Mapping[str, EntryPoint]:
    """Return the subcommands of installed packages, in the order of --help."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    order = [name for names in SECTIONS.values() for name in names]
    places = {name: place for place, name in enumerate(order)}
    return dict(sorted(found.items(), key=lambda named: (places.get(named[0], len(order)), named[0])))


class LazyGroup(click.Group):
    """A command group whose subcommands are imported when they are called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the subcommands in the order of a typical workflow."""
        return list(offered())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a subcommand, importing its module.

        Raises:
            ClickException: The package with the subcommand cannot be imported.
        """
        point = offered().get(ALIASES.get(cmd_name, cmd_name))
        if point is None:
            return None
        try:
            command: click.Command = point.load()
        except (ImportError, AttributeError) as error:
            raise click.ClickException(f"{cmd_name}: {point.value} cannot be loaded ({error})") from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that the arguments name; a mistyped one gets a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands by `SECTIONS`; one that cannot be loaded is listed with the reason."""
        section = {name: heading for heading, names in SECTIONS.items() for name in names}
        rows: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*SECTIONS, OTHER)}
        for name in self.list_commands(ctx):
            try:
                command = self.get_command(ctx, name)
            except click.ClickException as error:
                rows[section.get(name, OTHER)].append((name, error.message))
                continue
            if command is not None and not command.hidden:
                rows[section.get(name, OTHER)].append((name, command.get_short_help_str(limit=100)))
        width = max(len(name) for listed in rows.values() for name, _ in listed)
        for heading, listed in rows.items():
            if listed:
                with formatter.section(heading):
                    formatter.write_dl([(name.ljust(width), text) for name, text in listed])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=COMPLETION,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="sdd-bench")
@click.option("--debug", is_flag=True, help=f"Traceback of an error, for a report.  [default: ${DEBUG_VARIABLE}]")
@click.pass_context
def root(ctx: click.Context, debug: bool) -> None:
    """Toolkit and benchmark for defocus deblurring with misaligned pairs.

    \b
    Start here:
      sdd-bench demo
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    if ctx.invoked_subcommand is None:
        click.echo(first_steps())


def first_steps() -> str:
    """Return the text of sdd-bench without arguments: its purpose, and first commands."""
    lines = ["sdd-bench scores defocus deblurring on pairs of photographs that are not aligned.", "", "Type first:"]
    for command, purpose in FIRST_STEPS:
        lines += [f"  {command}", f"      {purpose}"]
    return "\n".join(lines)


def main() -> None:
    """Run the command line.

    User errors, errors of files or disks, too little memory, Ctrl-C and a broken pipe end it with at most one line. Any
    other exception is a bug of the program and is shown with its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for names that the terminal's encoding cannot show
    quiet = "ignore:resource_tracker:UserWarning"  # the resource tracker warns when it cleans up after a stopped run
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), quiet]))
    warnings.filterwarnings("ignore", "A worker stopped while some jobs")  # after a long wait; another one starts
    end_on_interrupt(farewell)
    try:
        sys.exit(root(standalone_mode=False))
    except click.ClickException as error:
        show_traceback()
        show_error(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        end_now(farewell)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        show_traceback()
        warn(f"Error: {fault}; sdd-bench --debug shows where that came from")
        sys.exit(1)
    except MemoryError as error:
        show_traceback()
        warn(f"Error: too little memory{f' ({error})' if str(error) else ''}; use fewer --jobs")
        sys.exit(1)


def show_error(error: click.ClickException) -> None:
    """Print an error on standard error: one line, preceded by the usage if the command was called wrongly."""
    if isinstance(error, click.UsageError):
        error.show()
    else:
        warn(f"Error: {error.format_message()}")


def farewell() -> str:
    """Return the last message of a stopped command: whether and how it resumes."""
    named = next((ALIASES.get(word, word) for word in sys.argv[1:] if not word.startswith("-")), "")
    point = offered().get(named)
    if point is not None and isinstance(point.load(), ResumableCommand):
        return "stopped; finished work is kept, and the same command resumes from there"
    return "stopped"


if __name__ == "__main__":
    main()
