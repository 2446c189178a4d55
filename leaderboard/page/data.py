"""Inputs of a page from the command line: image files, folders of methods, tables of other protocols."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from leaderboard.comparable import check_comparable
from leaderboard.entry import Entry, Table, read_entry
from leaderboard.page.navigation import Link
from leaderboard.page.pictures import method_pictures
from leaderboard.page.write import write_page
from leaderboard.reading import read_entries
from leaderboard.submission import ENTRY
from leaderboard.table import Board, build_board
from sdd_bench.datasets.catalog import open_dataset, open_two_folders
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import files_of
from sdd_bench.evaluation.anchors import FOLDER
from sdd_bench.evaluation.naming.folders import opened
from sdd_bench.evaluation.protocol import named_protocol
from sdd_bench.io.names import file_name
from sdd_bench.io.nearest import missing_folder


@dataclass(frozen=True)
class DatasetFiles:
    """Files by image name: the reference of the protocol, the blur image, and the mask."""

    truths: Mapping[str, Path]
    blur: Mapping[str, Path]
    masks: Mapping[str, Path] = field(default_factory=dict)


def dataset_files(
    data: Path, table: Table, images: Iterable[str], anchors: Path | None = None, sharp: Path | None = None
) -> DatasetFiles:
    """Return the files of a table's images: the anchors' truths under an anchored protocol, else the sharp images.

    Args:
        data: Folder of a prepared or released dataset.
        table: Table that determines split and protocol.
        images: Names of all scored images.
        anchors: Folder of anchors; None takes `anchors` in `data`.
        sharp: Folder of the sharp images if `data` is that of the blur images, without a dataset.

    Raises:
        UserError: Images are missing in the split, or have no anchor; all are named.
    """
    names = set(images)
    opened = open_dataset(data, table.split) if sharp is None else open_two_folders(data, sharp, table.split)
    pairs = {pair.name: pair for pair in opened.split(table.split)}
    unknown = sorted(names - set(pairs))
    if unknown:
        raise UserError(f"{data}: split {table.split} has no image {', '.join(unknown)}; are the results of this data?")
    blur = {name: pairs[name].blur for name in sorted(names)}
    method = named_protocol(table.protocol).anchor_method
    if not method:
        return DatasetFiles({name: pairs[name].sharp for name in blur}, blur)
    found = {name: files_of(anchors or data / FOLDER, pairs[name], method) for name in blur}
    missing = [name for name, files in found.items() if not (files.truth.is_file() and files.mask.is_file())]
    if missing:
        raise UserError(f"{anchors or data / FOLDER}: no anchor of {', '.join(missing)}; run sdd-bench anchor")
    return DatasetFiles({n: f.truth for n, f in found.items()}, blur, {n: f.mask for n, f in found.items()})


def method_folders(texts: Sequence[str], methods: Iterable[str]) -> dict[str, Path]:
    """Return the folder of each method from texts METHOD=FOLDER; a method's name may contain an equals sign.

    Raises:
        UserError: A text has no known method, a method is given twice, or a folder does not exist.

    >>> method_folders(["a=b=."], ["a=b", "c"])
    {'a=b': PosixPath('.')}
    """
    known = sorted(methods, key=len, reverse=True)
    found: dict[str, Path] = {}
    for text in texts:
        method = next((name for name in known if text.startswith((f"{name}=", f"{file_name(name)}="))), None)
        if method is None:
            raise UserError(f"--pred {text!r}: expected METHOD=FOLDER with a method of {', '.join(sorted(known))}")
        if method in found:
            raise UserError(f"--pred {text!r}: the folder of {method!r} is given twice")
        folder = Path(text.removeprefix(f"{method}=").removeprefix(f"{file_name(method)}="))
        if not folder.exists():
            raise UserError(f"--pred {missing_folder(folder)}")
        found[method] = folder
    return found


def entries_beside(path: Path, table: Table) -> list[Entry]:
    """Return the results of a file, of an entry, or of all results files below a folder, that belong beside a table.

    Below a folder, results of other data or of the table's own protocol, and other files, are skipped.

    Raises:
        UserError: A file or an entry cannot be read.
    """
    if not path.is_dir() or (path / ENTRY).is_file():
        return read_entries([path])
    found = []
    for file in sorted(path.rglob("*.json")):
        with contextlib.suppress(UserError):
            found.append(read_entry(file))
    same = (table.dataset_sha256, table.split)
    return [
        entry
        for entry in found
        if (entry.table.dataset_sha256, entry.table.split) == same and entry.table.protocol != table.protocol
    ]


def other_boards(entries: Sequence[Entry], table: Table, sort: str = "psnr_db") -> dict[str, Board]:
    """Return the boards of results under other protocols than a table's, by protocol.

    Raises:
        UserError: Results have other data or another split than the table, or results of one protocol cannot share a
            table.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if (entry.table.dataset_sha256, entry.table.split) != (table.dataset_sha256, table.split):
            raise UserError(f"leaderboard: {entry.source} is not of {table.dataset} / {table.split} as the others are")
        groups.setdefault(entry.table.protocol, []).append(entry)
    for group in groups.values():
        check_comparable(group)
    return {protocol: build_board(group, sort) for protocol, group in groups.items()}


@dataclass(frozen=True)
class PictureSources:
    """Sources of a page's images.

    Attributes:
        data: Folder of the dataset.
        folders: Folder or zip file of predictions by method, with any file names.
        anchors: Folder of the anchors; None takes `anchors` in `data`.
        images: Folder for whole frames, or None.
        sharp: Folder of the sharp images if `data` is that of the blur images.
    """

    data: Path
    folders: Mapping[str, Path]
    anchors: Path | None = None
    images: Path | None = None
    sharp: Path | None = None


def build_page(
    path: Path,
    board: Board,
    reported: pd.DataFrame | None,
    entries: Sequence[Entry],
    sources: PictureSources | None,
    nav: Sequence[Link] = (),
) -> Path:
    """Write the page of a table and return its path.

    Args:
        path: Path of the HTML file.
        board: Ranked table.
        reported: Rows of the papers' numbers.
        entries: Entries of the table, and those of the same data under other protocols.
        sources: Sources of the images; None leaves the images out.
        nav: Links to the other pages of a site.

    Raises:
        UserError: Files do not fit the results.
    """
    shown = [entry for entry in entries if entry.table == board.table]
    others = other_boards([e for e in entries if e.table.protocol != board.table.protocol], board.table, board.sort)
    pictures = None
    if sources is not None:
        names = {name for entry in shown for name in entry.rows.index}
        files = dataset_files(sources.data, board.table, names, sources.anchors, sources.sharp)
        truths, blur, masks = files.truths, files.blur, files.masks
        with ExitStack() as stack:
            folders = {name: stack.enter_context(opened(folder)) for name, folder in sources.folders.items()}
            pictures = method_pictures(shown, folders, truths, blur, masks=masks, images=sources.images)
    return write_page(path, board, reported, others, shown, pictures, nav)
