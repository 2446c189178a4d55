"""Matching of prediction files to images, and all refusals with the file at fault."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from known_namings import COUNT, SIZE, match, numbers_of, restored, write_dataset, write_predictions

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.find import match_predictions
from sdd_bench.evaluation.naming.folders import every_image, images_in, name_of, opened
from sdd_bench.evaluation.naming.rules import Proposal, by_order, propose, sides_of
from sdd_bench.evaluation.naming.ways import Ways
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.io.nearest import missing_folder

NUMBERS_PNG = {number: f"{number:02d}.png" for number in range(COUNT)}


def pairs_of(*names: str, sharp: dict[str, str] | None = None) -> list[Pair]:
    return [Pair(n, "test", Path(f"blur/{n}.png"), Path(f"gt/{(sharp or {}).get(n, n)}.png")) for n in names]


def proposed(stems: list[str], *names: str, sharp: dict[str, str] | None = None, **more: object) -> Proposal:
    return propose(stems, sides_of(pairs_of(*names, sharp=sharp)), **more)  # type: ignore[arg-type]


# --- names alone


def test_exact_names_go_before_everything_else() -> None:
    found = proposed(["a", "b_2", "c"], "a", "b_2", "c", sharp={"a": "b_2", "b_2": "c", "c": "a"})
    assert (found.rule, found.stems) == ("names", {"a": "a", "b_2": "b_2", "c": "c"})


def test_the_sharp_sides_names_count_where_all_fit() -> None:
    sharp = {"1983": "1984", "1985": "1986"}
    found = proposed(["1984_x", "1986_x"], "1983", "1985", sharp=sharp)
    assert (found.rule, found.template.text) == ("sharp names", "{name}_x")
    assert found.stems == {"1983": "1984_x", "1985": "1986_x"}


def test_a_sharp_side_that_pairs_share_names_nothing() -> None:
    assert [side.rule for side in sides_of(pairs_of("a", "b", sharp={"a": "s", "b": "s"}))] == ["names"]


@pytest.mark.parametrize(
    ("form", "text"), [("{}_Net", "{name}_Net"), ("out-{}", "out-{name}"), ("x_{}_restored", "x_{name}_restored")]
)
def test_one_constant_prefix_and_suffix_is_found(form: str, text: str) -> None:
    names = ("a", "b_2", "image_10", "image_1")
    found = proposed([form.format(name) for name in names], *names)
    assert (found.template.text, found.missing, found.extra) == (text, (), ())


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    pairs = write_dataset(tmp_path, lambda _: composed, lambda _: "s", 1)
    folder = write_predictions(tmp_path / "p", {0: f"{decomposed}.png"})
    assert list(match(folder, pairs).files) == [composed]


@pytest.mark.parametrize("form", ["%d", "img%d_x", "%d_p"])
def test_numbers_count_as_numbers_whatever_their_count(form: str) -> None:
    names = [f"scene{number:04d}" for number in range(120)]
    stems = [form % number for number in range(1, 121)]
    found = proposed(sorted(stems), *names)
    assert (found.rule, found.settled) == ("order", False)  # as text, 100 comes before 11
    assert [found.stems[name] for name in names] == stems
    padded = proposed([form.replace("%d", "%03d") % number for number in range(1, 121)], *names)
    assert (padded.rule, padded.settled) == ("order", True)


def test_the_same_numbers_need_no_proof() -> None:
    names = [str(number) for number in range(1, 13)]
    found = proposed([f"{number:04d}" for number in range(1, 13)], *names)
    assert (found.rule, found.settled, found.stems["10"]) == ("order", True, "0010")


def test_one_image_may_have_several_numbers_in_its_name() -> None:
    assert proposed(["1P0A1983_x2"], "1P0A1983").template.text == "{name}_x2"
    found = proposed(["img2_0007"], "1P0A1983")
    assert (found.rule, found.template.text) == ("order", "img2_{name}")


def test_names_in_two_orders_need_proof() -> None:
    found = proposed([f"{number:02d}" for number in range(12)], *(f"s{number}" for number in range(12)))
    assert not found.settled
    crossed = {"a1": "t2", "a2": "t1"}
    assert not proposed(["01", "02"], "a1", "a2", sharp=crossed).settled


def test_numbers_one_off_are_held_for_missing_unless_content_proves_them() -> None:
    names = [f"{number:02d}" for number in range(1, 13)]
    found = proposed([f"{number:02d}" for number in range(12)], *names)
    assert (found.rule, found.settled) == ("order", False)
    assert found.otherwise is not None
    assert (found.otherwise.missing, found.otherwise.extra) == (("12",), ("00",))


@pytest.mark.parametrize(
    ("stems", "template", "companions"),
    [
        (["{}", "{}_gt"], "{name}", {"*_gt": 2}),
        (["{}_i", "{}_p", "{}_g"], "{name}_p", {"*_i": 2, "*_g": 2}),
        (["{}", "{}_wgt", "{}_gt", "{}_output"], "{name}_output", {"*": 2, "*_wgt": 2, "*_gt": 2}),
        (["{}deblur", "{}defest"], "{name}deblur", {"*defest": 2}),
        (["input_{}", "{}"], "{name}", {"input_*": 2}),
        (["{}_Net", "{}_Net_gt"], "{name}_Net", {"*_gt": 2}),
    ],
)
@pytest.mark.parametrize("names", [("a", "b"), ("scene7", "scene8")])
@pytest.mark.parametrize("numbered", [False, True])
def test_companions_are_passed_over_and_counted(
    stems: list[str], template: str, companions: dict[str, int], names: tuple[str, str], numbered: bool
) -> None:
    called = ("1", "2") if numbered else names
    found = proposed([stem.format(name) for stem in stems for name in called], *names)
    assert found.rule == ("order" if numbered else "names")
    assert (found.template.text, dict(found.companions), found.extra) == (template, companions, ())


def test_missing_predictions_are_told_beside_whole_companions() -> None:
    found = proposed(["a_net", "b_net", "a_gt", "b_gt", "c_gt"], "a", "b", "c")
    assert (found.template.text, found.missing, dict(found.companions)) == ("{name}_net", ("c",), {"*_gt": 3})


def test_a_companions_word_within_a_name_is_a_name() -> None:
    found = proposed(["cat_gt", "dog_i"], "cat_gt", "dog_i")
    assert (found.stems, found.companions) == ({"cat_gt": "cat_gt", "dog_i": "dog_i"}, {})


@pytest.mark.parametrize("stem", ["{}_gt", "input_{}", "{}_g"])
@pytest.mark.parametrize("names", [("a", "b"), ("7", "8")])
def test_a_folder_of_companions_only_is_refused(stem: str, names: tuple[str, str]) -> None:
    with pytest.raises(UserError, match=r"like ground truths and inputs; --pred-pattern '.*' scores them all the same"):
        proposed([stem.format(name) for name in names], "a", "b")
    assert proposed(["a", "b"], "a", "b", affixes=False).stems == {"a": "a", "b": "b"}


def test_a_companion_of_no_image_is_extra() -> None:
    assert proposed(["a", "b", "z_gt"], "a", "b").extra == ("z_gt",)


def test_several_files_an_image_are_refused_with_the_options() -> None:
    with pytest.raises(
        UserError, match=r"2 files for each image; choose with --pred-pattern '\{name\}' or --pred-patt"
    ):
        proposed(["a", "b", "a_x", "b_x"], "a", "b")


def test_order_by_option_needs_equal_counts_and_goes_by_numbers() -> None:
    sides = sides_of(pairs_of("a", "b", "c"))
    assert by_order(["x10", "x9", "y"], sides).stems == {"a": "x9", "b": "x10", "c": "y"}
    with pytest.raises(UserError, match="4 files for 3 images; --by-order needs as many files as images"):
        by_order(["1", "2", "3", "4"], sides)


# --- folders


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    return write_dataset(tmp_path, lambda n: f"IMG_{n:02d}", lambda n: f"IMG_{n:02d}")


def exact(folder: Path, count: int = COUNT, suffix: str = ".png") -> Path:
    return write_predictions(folder, {number: f"IMG_{number:02d}{suffix}" for number in range(count)})


def test_stems_match_whatever_the_suffix(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = exact(tmp_path / "p")
    (folder / "IMG_03.png").rename(folder / "IMG_03.PNG")
    (folder / "IMG_04.png").rename(folder / "IMG_04.Jpg")
    (folder / "readme.txt").touch()
    found = match(folder, pairs)
    assert (found.words, found.files["IMG_04"].name) == ("matched by name", "IMG_04.Jpg")
    assert numbers_of(found, pairs) == list(range(COUNT))


def test_a_pattern_passes_over_other_files_and_counts_them(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"out_IMG_{n:02d}_x.png" for n in range(COUNT)})
    write_predictions(folder, {0: "mean.png", 1: "IMG_01.png"})
    for pattern in ("out_{name}_x.png", "out_{name}_x"):
        found = match(folder, pairs, pattern=pattern)
        assert found.words == "matched by name, as " + pattern + "; 2 files of other names passed over"
        assert numbers_of(found, pairs) == list(range(COUNT))


def test_a_pattern_may_stand_for_the_sharp_images_or_for_numbers(tmp_path: Path) -> None:
    pairs = write_dataset(tmp_path, lambda n: f"b{n:02d}", lambda n: f"s{n:02d}")
    sharp = write_predictions(tmp_path / "s", {n: f"s{n:02d}_x.png" for n in range(COUNT)})
    assert match(sharp, pairs, pattern="{name}_x").rule == "sharp names"
    counted = write_predictions(tmp_path / "n", {n: f"{n:02d}_x.png" for n in range(COUNT)})
    found = match(write_predictions(counted, {0: "best.png"}), pairs, pattern="{name}_x")
    assert (found.rule, found.passed_over, numbers_of(found, pairs)) == ("order", 1, list(range(COUNT)))


def test_a_patterns_suffix_chooses_among_files_of_one_name(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = exact(tmp_path / "p")
    write_png(folder / "IMG_05.tif", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match=r"p: IMG_05.png, IMG_05.tif: 2 predictions for IMG_05"):
        match(folder, pairs)
    assert match(folder, pairs, pattern="{name}.png").files["IMG_05"].suffix == ".png"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("x.png", r"--pred-pattern 'x.png': expected '\{name\}' in it exactly once"),
        ("{name}_y", "none of the 12 files matches"),
    ],
)
def test_patterns_that_fit_nothing_are_refused(tmp_path: Path, pairs: list[Pair], pattern: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        match(exact(tmp_path / "p"), pairs, pattern=pattern)


def test_all_faults_of_a_folder_are_counted_by_kind_and_named(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"IMG_{n:02d}_restored.png" for n in range(3, COUNT)})
    write_predictions(folder, {0: "poster.png", 4: "IMG_04_restored.jpg"})
    write_png(folder / "IMG_06_restored.png", to_pixels(restored(6)[:50]))
    (folder / "IMG_07_restored.png").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError) as caught:
        match(folder, pairs)
    head, *lines = caught.value.message.splitlines()
    assert head == (
        f"{folder}: 7 problems: 3 missing, 1 extra, 1 duplicate, 1 of another size, 1 not an image "
        "(assumed names: {name}_restored; --allow-missing scores an incomplete folder)"
    )
    for words in (
        "  IMG_00: no prediction",
        "  poster.png: no such image in the split",
        "  IMG_04_restored.jpg, IMG_04_restored.png: 2 predictions for IMG_04",
        "  IMG_06: prediction is 100x50, expected 100x76 (--pred-crop",
        "not a PNG, TIFF or JPEG image",
    ):
        assert any(words in line for line in lines), words


def test_missing_may_be_allowed_but_not_all(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = exact(tmp_path / "p", 1)
    with pytest.raises(UserError, match=r"11 problems: 11 missing \(--allow-missing scores an incomplete folder\)"):
        match(folder, pairs)
    assert list(match(folder, pairs, allow_missing=True).files) == ["IMG_00"]
    with pytest.raises(UserError, match=r"zebra\.png: no such image in the split"):
        match(write_predictions(tmp_path / "q", {0: "zebra.png"}), pairs, allow_missing=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no PNG, TIFF or JPEG files$"):
        match(tmp_path / "empty", pairs, allow_missing=True)
    (tmp_path / "empty" / "a.npy").touch()
    with pytest.raises(UserError, match=r"empty: no PNG, TIFF or JPEG files, found: 1 \.npy"):
        match(tmp_path / "empty", pairs)


def test_names_that_say_nothing_in_other_numbers_are_refused_with_examples(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"{'abcdefghijkl'[n]}.png" for n in range(5)})
    words = r"no file name \(a, b, c, ...\) matches an image name \(IMG_00, IMG_01, IMG_02, ...\), and there"
    with pytest.raises(UserError, match=words + " are 5 files for 12 images"):
        match(folder, pairs)


# --- content


def test_names_that_say_nothing_are_matched_by_content(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"{'qwertyuiopas'[n]}.png" for n in range(COUNT)})
    found = match(folder, pairs)
    assert found.words == "matched by content: each to the blur image that it looks most like"
    assert numbers_of(found, pairs) == list(range(COUNT))


def test_numbers_in_no_order_are_matched_by_content_unless_order_was_asked_for(
    tmp_path: Path, pairs: list[Pair]
) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"{(5 * n + 3) % COUNT:04d}.png" for n in range(COUNT)})
    found = match(folder, pairs)
    assert (found.rule, numbers_of(found, pairs)) == ("content", list(range(COUNT)))
    with pytest.raises(UserError, match="looks like the input of IMG_"):
        match(folder, pairs, by_order=True)


def test_unpadded_numbers_go_by_number_where_content_proves_it(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"{n + 1}.png" for n in range(COUNT)})
    found = match(folder, pairs)
    assert (found.words, numbers_of(found, pairs)) == (
        "matched by the natural order of their names",
        list(range(COUNT)),
    )


def test_order_that_neither_names_nor_content_tell_is_refused(tmp_path: Path) -> None:
    pairs = write_dataset(tmp_path, lambda n: f"s{n}", lambda n: f"s{n}")
    folder = write_predictions(tmp_path / "p", {n: f"{n + 1}.png" for n in range(COUNT)}, lambda i: 0 * i + 0.5)
    with pytest.raises(UserError, match=r"files \(1, 2, 3, ...\) and images .* sort differently as text and by number"):
        match(folder, pairs)


def test_order_is_not_enough_where_predictions_look_like_no_input(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", NUMBERS_PNG, lambda i: 0 * i + 0.5)
    words = (
        "p: only the order of the numbers tells which file belongs to which image, and 12 of 12 predictions look like"
    )
    with pytest.raises(UserError, match=words) as caught:
        match(folder, pairs)
    assert caught.value.message.endswith("; add --by-order to score them in that order")
    found = match(folder, pairs, by_order=True)
    assert found.remarks[0].startswith("12 of 12 predictions look like no input")
    assert found.block()["remarks"] == list(found.remarks)


def test_predictions_under_each_others_names_are_refused(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = exact(tmp_path / "p")
    (folder / "IMG_00.png").rename(folder / "x")
    (folder / "IMG_01.png").rename(folder / "IMG_00.png")
    (folder / "x").rename(folder / "IMG_01.png")
    with pytest.raises(UserError, match=r"IMG_00\.png looks like the input of IMG_01, not of IMG_00"):
        match(folder, pairs)


# --- where the images lie


def test_the_one_sub_folder_that_holds_the_images_is_read(tmp_path: Path, pairs: list[Pair]) -> None:
    exact(tmp_path / "p" / "visualization" / "DPDD")
    found = match(tmp_path / "p", pairs)
    assert found.words == "matched by name; in visualization/DPDD/"
    assert len(every_image(tmp_path / "p")) == COUNT


def test_several_sub_folders_are_named_with_the_option(tmp_path: Path, pairs: list[Pair]) -> None:
    exact(tmp_path / "p" / "png")
    exact(tmp_path / "p" / "jpg", 2, ".jpg")
    with pytest.raises(UserError) as caught:
        match(tmp_path / "p", pairs)
    place = tmp_path / "p"
    assert f"images lie in 2 folders; give one: --pred {place}/jpg (2), --pred {place}/png (12)" in caught.value.message


def test_a_zip_file_is_read_and_leaves_nothing_behind(tmp_path: Path, pairs: list[Pair]) -> None:
    exact(tmp_path / "p")
    archive = tmp_path / "mine.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for file in every_image(tmp_path / "p"):
            content.write(file, f"results/{file.name}")
        content.writestr("__MACOSX/results/._IMG_00.png", b"x")
        content.writestr("results/log.txt", "x")
    with opened(archive) as folder:
        found = match(folder, pairs)
        assert (found.folder, len(found.files)) == ("results", COUNT)
        assert [path.suffix for path in folder.rglob("*.*")] == [".png"] * COUNT
    assert not folder.exists()
    assert name_of(archive) == "mine"


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in members:
            content.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("../x.png", b"")], "'../x.png' leads out of the archive or is no plain name"),
        ([("/etc/x.png", b"")], "'/etc/x.png' leads out"),
        ([("a/../../x.png", b"")], "leads out"),
        ([("C:\\x.png", b"")], "leads out"),
        ([("x.png", b"0" * 300_000_000)], "rejected as a decompression bomb"),
        ([("x.png", b"1"), ("x.png", b"2")], "duplicate file x.png"),
        ([(link("x.png"), b"/etc/passwd")], "no PNG, TIFF or JPEG files"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_zip_files_are_refused(tmp_path: Path, members: list[tuple[str, bytes]], words: str) -> None:
    archive = zipped(tmp_path / "a.zip", *members)
    with pytest.raises(UserError) as caught, opened(archive) as folder:
        images_in(folder, str(archive))
    assert words in caught.value.message
    assert os.listdir(tmp_path) == ["a.zip"]  # noqa: PTH208  # hidden files count


def test_damaged_and_other_archives_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    (tmp_path / "a.tar.gz").touch()
    (tmp_path / "a.txt").touch()
    whole = zipped(tmp_path / "b.zip", ("x.png", bytes(range(256)) * 50)).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:40] + b"!!!!!!" + whole[46:])
    for name, words in (
        ("a.zip", "a.zip: not a zip file that can be read"),
        ("b.zip", "b.zip: not a zip file that can be read"),
        ("a.tar.gz", "expected a folder of predictions or a zip file; unpack it and give the folder"),
        ("a.txt", "expected a folder of predictions or a zip file; give its folder"),
    ):
        with pytest.raises(UserError, match=words), opened(tmp_path / name):
            pass


def test_a_mistyped_folder_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "Restored" / "dpdd").mkdir(parents=True)
    assert missing_folder(tmp_path / "restord" / "dpd") == (
        f"{tmp_path}/restord/dpd: no such folder; the nearest is {tmp_path}/Restored/dpdd"
    )
    assert missing_folder(tmp_path / "something") == f"{tmp_path}/something: no such folder"
    with pytest.raises(UserError, match="restord: no such folder; the nearest is"), opened(tmp_path / "restord"):
        pass


# --- sizes


def test_sizes_are_whole_or_cropped_as_the_protocol_says(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write_predictions(tmp_path / "p", {n: f"IMG_{n:02d}.png" for n in range(COUNT)}, lambda i: i[:64, :96])
    with pytest.raises(UserError) as caught:
        match(folder, pairs)
    assert "12 problems: 12 of another size" in caught.value.message
    assert (
        "IMG_00: prediction is 96x64, expected 100x76 (cropped to multiples? --crop-multiple 16 or 32, or --pred-crop "
        "top-left)" in caught.value.message
    )
    assert not match_predictions(folder, pairs, Ways(), 1, crop_multiple=16).partly
    assert match(folder, pairs, pred_crop="top-left").partly


def test_the_place_of_a_crop_is_told_by_content(tmp_path: Path, pairs: list[Pair]) -> None:
    assert SIZE == (100, 76)
    folder = write_predictions(tmp_path / "p", {n: f"IMG_{n:02d}.png" for n in range(COUNT)}, lambda i: i[2:74, 2:98])
    with pytest.raises(UserError, match=r"96x72, expected 100x76 \(cropped to multiples\? --pred-crop centre\)"):
        match(folder, pairs)
    padded = write_predictions(
        tmp_path / "q",
        {n: f"IMG_{n:02d}.png" for n in range(COUNT)},
        lambda i: np.pad(i, ((0, 4), (0, 12), (0, 0)), "reflect"),
    )
    with pytest.raises(
        UserError, match=r"112x80, expected 100x76 \(padded to multiples of 16\? --pred-crop top-left\)"
    ):
        match(padded, pairs)
    assert not match(padded, pairs, pred_crop="top-left").partly
    larger = write_predictions(
        tmp_path / "r", {n: f"IMG_{n:02d}.png" for n in range(COUNT)}, lambda i: np.pad(i, ((0, 200), (0, 0), (0, 0)))
    )
    with pytest.raises(UserError, match=r"100x276, expected 100x76$"):
        match(larger, pairs, pred_crop="top-left")
