"""The one command, sdd-bench: its subcommands are loaded when called, so that --help needs no torch."""

from __future__ import annotations

import importlib
import os
import sys

import click

from sdd_bench.interrupt import EXIT_CODE, end_on_interrupt
from sdd_bench.version import __version__

COMMANDS = {
    "demo": ("sdd_bench.commands.demo", "The whole loop on data it makes itself, no download."),
    "ingest": ("sdd_bench.commands.ingest", "A camera session to checked pairs."),
    "prepare": ("sdd_bench.commands.prepare", "Pairs to a dataset: splits, patches, manifest."),
    "synthesise": ("sdd_bench.commands.synthesise", "Sharp photographs to misaligned pairs with known truth."),
    "analyse": ("sdd_bench.commands.analyse", "Zoom, shift, rotation, residual and blur of every pair."),
    "anchor": ("sdd_bench.commands.anchor", "Each sharp image in its blur image's frame, the truth of anchored/1."),
    "train-baseline": (
        "sdd_bench.commands.train_baseline",
        "Train the JDRL baseline, every variant of the paper's tables.",
    ),
    "predict": ("sdd_bench.commands.predict", "Restore images with a trained network."),
    "profile": ("sdd_bench.commands.profile", "Parameters, MACs, seconds and memory of a trained network."),
    "evaluate": ("sdd_bench.commands.evaluate", "A folder of predictions to scores under a named protocol."),
    "leaderboard": ("leaderboard.cli", "Results files to a ranked table."),
    "stability": ("sdd_bench.commands.stability", "How a ranking changes with protocol, flow, metric and images."),
    "submit": ("sdd_bench.commands.submit", "A folder of predictions to an entry for a leaderboard."),
    "verify": ("sdd_bench.commands.verify", "Score an entry again: is it what it says?"),
    "doctor": ("sdd_bench.commands.doctor", "What is installed, which weights and data are there."),
}
"""Name to module (each holds one click command called `command`) and the line that --help shows."""

ALIASES = {"synthesize": "synthesise", "analyze": "analyse"}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when that subcommand is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the subcommands in the order a person needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a subcommand, importing its module."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sdd-bench")
def root() -> None:
    """Toolkit and benchmark for defocus deblurring with misaligned pairs.

    \b
    Start here:
      sdd-bench demo
    """


GO_ON = {"ingest", "prepare", "synthesise", "analyse", "anchor", "train-baseline", "predict", "evaluate", "submit"}
"""Subcommands that keep what is finished when they are stopped."""


def main() -> None:
    """Run the command line; Ctrl-C, a broken pipe and a full disk end it without a traceback."""
    end_on_interrupt(farewell)
    try:
        sys.exit(root(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(farewell(), err=True)
        sys.exit(EXIT_CODE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}", err=True)
        sys.exit(1)
    except MemoryError as error:
        click.echo(f"Error: too little memory{f' ({error})' if str(error) else ''}; give fewer --jobs", err=True)
        sys.exit(1)


def farewell() -> str:
    """Return what is said to somebody who stops a command: whether and how it goes on."""
    named = next((ALIASES.get(word, word) for word in sys.argv[1:] if not word.startswith("-")), "")
    if named in GO_ON:
        return "stopped; what is finished is kept, and the same command goes on from there"
    return "stopped"


if __name__ == "__main__":
    main()
