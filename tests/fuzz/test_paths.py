"""Files named by a dataset or an archive: never outside its own folder, with links followed or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sdd_bench.datasets.manifest import read_prepared
from sdd_bench.errors import UserError


@pytest.fixture
def dataset(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared dataset."""
    shutil.copytree(prepared, tmp_path / "data")
    return tmp_path / "data"


def first_frame(dataset: Path) -> Path:
    """Return the blur image in the first row of pairs.csv."""
    row = (dataset / "pairs.csv").read_text().splitlines()[1].split(",")
    return dataset / row[4]


def name_it(dataset: Path, relative: str) -> None:
    path = dataset / "pairs.csv"
    was = str(first_frame(dataset).relative_to(dataset))
    path.write_text(path.read_text().replace(was, relative, 1))


@pytest.mark.parametrize(
    "relative", ["../secret.png", "test/../../secret.png", "/etc/passwd", "C:\\secret.png", "..\\secret.png", "C:x.png"]
)
def test_a_path_that_leads_out_is_refused(dataset: Path, relative: str) -> None:
    shutil.copy(first_frame(dataset), dataset.parent / "secret.png")
    name_it(dataset, relative)
    with pytest.raises(UserError) as caught:
        read_prepared(dataset)
    assert caught.value.message == f"{dataset / 'pairs.csv'}: line 2: blur {relative!r} points outside the dataset"


def _link_file(dataset: Path) -> None:
    frame = first_frame(dataset)
    shutil.move(frame, dataset.parent / "secret.png")
    frame.symlink_to(dataset.parent / "secret.png")


def _link_folder(dataset: Path) -> None:
    folder = first_frame(dataset).parent
    shutil.move(folder, dataset.parent / "elsewhere")
    folder.symlink_to(dataset.parent / "elsewhere", target_is_directory=True)


def _link_through_a_link(dataset: Path) -> None:
    frame = first_frame(dataset)
    shutil.move(frame, dataset.parent / "secret.png")
    (dataset / "within.png").symlink_to("../secret.png")
    frame.symlink_to(dataset / "within.png")


@pytest.mark.parametrize("link", [_link_file, _link_folder, _link_through_a_link])
def test_a_link_out_of_the_root_is_refused(dataset: Path, link: Callable[[Path], None]) -> None:
    link(dataset)
    with pytest.raises(UserError, match=r"(?s)pairs\.csv: .*blur .* lies outside the dataset, where a link leads"):
        read_prepared(dataset)


def test_links_within_the_dataset_and_a_root_that_is_one_are_fine(dataset: Path, tmp_path: Path) -> None:
    frame = first_frame(dataset)
    shutil.move(frame, dataset / "kept.png")
    frame.symlink_to("../../kept.png")
    (tmp_path / "link").symlink_to(dataset, target_is_directory=True)
    assert read_prepared(dataset).pairs
    assert [p.name for p in read_prepared(tmp_path / "link").pairs] == [p.name for p in read_prepared(dataset).pairs]


def test_links_in_a_circle_and_folders_are_no_frames(dataset: Path) -> None:
    frame = first_frame(dataset)
    frame.unlink()
    frame.symlink_to(frame)
    with pytest.raises(UserError, match=r"blur .* cannot be read"):
        read_prepared(dataset)
    frame.unlink()
    frame.mkdir()
    with pytest.raises(UserError, match=r"blur .* is no file"):
        read_prepared(dataset)


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "C:x", ""])
def test_a_pair_whose_name_would_be_a_file_elsewhere_is_refused(dataset: Path, name: str) -> None:
    path = dataset / "pairs.csv"
    head, row, *rest = path.read_text().splitlines()
    cells = row.split(",")
    cells[1] = name
    path.write_text("\n".join([head, ",".join(cells), *rest]) + "\n")
    with pytest.raises(UserError, match=r"line 2: name .* is no plain name"):
        read_prepared(dataset)
