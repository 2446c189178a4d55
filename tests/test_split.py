"""Splits: published counts, whole groups, the same bytes from any order; list files refused with all faults."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.datasets.similar import MAX_DISTANCE, hash_bits, similar_groups
from sdd_bench.datasets.split import read_split_file, split_fraction, split_sdd
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import csv_text


def pair(name: str, scene: str = "", place: str = "") -> Pair:
    return Pair(name, "", Path("blur") / name, Path("gt") / name, scene=scene, place=place)


def some(n: int) -> list[Pair]:
    return [pair(f"{i:04d}") for i in range(n)]


def placed(indoor: int, outdoor: int) -> list[Pair]:
    return [pair(f"i{i:03d}", place="indoor") for i in range(indoor)] + [
        pair(f"o{i:03d}", place="outdoor") for i in range(outdoor)
    ]


def by_place(pairs: list[Pair], assignment: dict[str, str]) -> Counter[tuple[str, str]]:
    return Counter((assignment[p.name], p.place) for p in pairs)


# --- by fraction


@pytest.mark.parametrize(
    ("n", "fraction", "train"),
    [(1112, 0.8, 890), (10, 0.8, 8), (50, 0.29, 15), (2, 0.8, 1), (2, 0.1, 1), (3, 0.99, 2), (7, 0.5, 4)],
)
def test_fraction_counts(n: int, fraction: float, train: int) -> None:
    # 50 * .29 is 14.499999999999998 in floating point; in decimals it is 14.5 and is rounded up.
    assert Counter(split_fraction(some(n), fraction, 0).values()) == {"train": train, "test": n - train}


def test_seed_decides_and_order_does_not() -> None:
    pairs = some(1112)
    first = split_fraction(pairs, 0.8, 0)
    shuffled = random.Random(1).sample(pairs, len(pairs))
    assert split_fraction(shuffled, 0.8, 0) == first
    other = split_fraction(pairs, 0.8, 1)
    # Two independent draws of 890 out of 1,112 share 712 on average, with standard deviation 5.3.
    assert 690 < sum(first[n] == other[n] == "train" for n in first) < 735


def test_the_order_is_that_of_the_published_rule() -> None:
    names = [p.name for p in some(20)]
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"7\t{name}".encode()).hexdigest())
    assignment = split_fraction(some(20), 0.75, 7)
    assert {n for n, s in assignment.items() if s == "train"} == set(ranked[:15])


def test_groups_stay_whole_and_train_falls_short_by_less_than_the_smallest_in_test() -> None:
    for seed in range(20):
        draw = random.Random(seed)
        sizes = [draw.randint(1, 30) for _ in range(60)]
        group_of = {f"{g:02d}-{i:02d}": f"g{g}" for g, size in enumerate(sizes) for i in range(size)}
        assignment = split_fraction([pair(n) for n in group_of], 0.8, seed, group_of)
        sides: dict[str, set[str]] = {}
        for name, group in group_of.items():
            sides.setdefault(group, set()).add(assignment[name])
        assert all(len(side) == 1 for side in sides.values())
        target = int(0.8 * len(group_of) + 0.5)
        train = Counter(assignment.values())["train"]
        smallest = min(size for g, size in enumerate(sizes) if sides[f"g{g}"] == {"test"})
        assert 0 <= target - train < smallest


def test_groups_too_large_for_train() -> None:
    group_of = {f"{g}{i}": g for g, size in (("a", 6), ("b", 4)) for i in range(size)}
    assignment = split_fraction([pair(n) for n in group_of], 0.3, 0, group_of)
    assert Counter(assignment.values()) == {"train": 4, "test": 6}


def test_fraction_refusals() -> None:
    with pytest.raises(ValueError, match="between 0 and 1, not 80"):
        split_fraction(some(4), 80, 0)
    with pytest.raises(ValueError, match="duplicates: 0001"):
        split_fraction([*some(3), pair("0001")], 0.8, 0)
    with pytest.raises(ValueError, match="0002 has no group"):
        split_fraction(some(3), 0.8, 0, {"0000": "a", "0001": "a"})
    with pytest.raises(UserError, match="3 pairs of 1 scene or group, expected at least two"):
        split_fraction(some(3), 0.8, 0, {p.name: "all" for p in some(3)})
    with pytest.raises(UserError, match="1 pairs of 1 scene"):
        split_fraction(some(1), 0.8, 0)


# --- SDD


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sdd_with_places_has_the_papers_counts(seed: int) -> None:
    pairs = placed(61, 89)
    assert by_place(pairs, split_sdd(pairs, seed)) == {
        ("train", "indoor"): 50,
        ("train", "outdoor"): 65,
        ("test", "indoor"): 11,
        ("test", "outdoor"): 24,
    }


def test_sdd_without_places() -> None:
    assert Counter(split_sdd(some(150), 0).values()) == {"train": 115, "test": 35}
    assert Counter(split_sdd(some(30), 0).values()) == {"train": 23, "test": 7}
    assert Counter(split_sdd(some(2), 0).values()) == {"train": 1, "test": 1}
    assert split_sdd(some(150), 0) == split_sdd(some(150)[::-1], 0) != split_sdd(some(150), 1)


@pytest.mark.parametrize(
    ("indoor", "outdoor", "train_indoor", "train_outdoor"),
    [(60, 90, 46, 69), (10, 5, 8, 4), (7, 3, 6, 2), (1, 1, 1, 0)],
)
def test_sdd_other_counts_by_largest_remainder(
    indoor: int, outdoor: int, train_indoor: int, train_outdoor: int
) -> None:
    # (7, 3): 8 on train, shares 5.6 and 2.4. (10, 5): 12 on train (11.5 is rounded up), shares 8 and 4.
    pairs = placed(indoor, outdoor)
    found = by_place(pairs, split_sdd(pairs, 0))
    assert (found["train", "indoor"], found["train", "outdoor"]) == (train_indoor, train_outdoor)


def test_sdd_scenes_stay_on_one_side() -> None:
    pairs = [pair(f"{i:03d}", scene=f"s{i // 3}", place="indoor" if i < 60 else "outdoor") for i in range(150)]
    assignment = split_sdd(pairs, 0)
    for scene in {p.scene for p in pairs}:
        assert len({assignment[p.name] for p in pairs if p.scene == scene}) == 1
    found = by_place(pairs, assignment)
    assert (found["train", "indoor"], found["train", "outdoor"]) == (45, 69)  # of 46 and 69, in threes


def test_sdd_place_faults_together() -> None:
    pairs = [pair("a", "s", "indoor"), pair("b", "s", "outdoor"), pair("c"), pair("d", place="indoor")]
    with pytest.raises(UserError) as caught:
        split_sdd(pairs, 0)
    assert caught.value.message == (
        "places of the pairs: 2 problems\n"
        "  c: no place, others have one; write it as place in the session's description"
        ", or in places.csv\n  scene s: both indoor and outdoor"
    )


# --- list files


def test_list_file_comes_back(tmp_path: Path) -> None:
    assignment = split_sdd(some(20), 3) | {"0007": "val"}
    (tmp_path / "split.csv").write_text(csv_text(("split", "name"), ((s, n) for n, s in assignment.items())))
    assert read_split_file(tmp_path / "split.csv", reversed(list(assignment))) == assignment
    (tmp_path / "more.csv").write_text("note,name,split\nx,a,test\n,b,train\n")
    assert read_split_file(tmp_path / "more.csv", ["a", "b"]) == {"a": "test", "b": "train"}


def test_list_file_faults_together(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("name,split\na,train\na,test\nb,Training\nzebra,test\n")
    with pytest.raises(UserError) as caught:
        read_split_file(path, ["a", "b", "c", "d"])
    assert caught.value.message == (
        f"{path}: 5 problems\n"
        "  line 3: duplicate name a\n  line 4: split 'Training' of b, expected train, val or test\n"
        "  line 5: there is no pair 'zebra'\n  c is not listed\n  d is not listed"
    )


def test_a_plain_list_of_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match=r"missing column name, split; found: a \(a split file is CSV .* not taken\)"):
        read_split_file(path, ["a", "b"])


# --- near duplicates


def as_float(image: np.ndarray) -> NDArray[np.float32]:
    return (image / np.float32(255)).astype(np.float32)


def moved(image: np.ndarray, zoom: float, dx: float, dy: float, blur: float = 0.0) -> np.ndarray:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, zoom)
    matrix[:, 2] += (dx * width, dy * height)
    out = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return cv2.GaussianBlur(out, (0, 0), blur * width) if blur else out


PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "retina")


def test_limit_lies_between_views_of_a_scene_and_other_photographs() -> None:
    photos = [getattr(skimage.data, name)() for name in PHOTOS] + [skimage.data.stereo_motorcycle()[0]]
    hashes = [hash_bits(as_float(p)) for p in photos]
    others = [int((a ^ b).sum()) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(others) > MAX_DISTANCE + 6
    views = [(1.02, 0, 0, 0), (1, 0.01, 0.005, 0), (1, 0, 0, 0.01), (1.02, 0, 0, 0.005)]
    same = [
        int((h ^ hash_bits(as_float(moved(p, *view)))).sum())
        for p, h in zip(photos, hashes, strict=True)
        for view in views
    ]
    assert max(same) <= MAX_DISTANCE


def test_similar_groups(tmp_path: Path) -> None:
    left, right, _ = skimage.data.stereo_motorcycle()
    coffee = skimage.data.coffee()
    images = {
        "b1": left,
        "a2": right,  # two cameras side by side
        "c1": coffee,
        "c2": moved(coffee, 1.02, 0, 0),
        "c3": moved(coffee, 1.02, 0.01, 0, 0.005),
        "d1": skimage.data.chelsea(),
        "e1": np.full((32, 32, 3), 128, np.uint8),
    }
    pairs = []
    for name, image in images.items():
        write_png(tmp_path / f"{name}.png", image)
        pairs.append(Pair(name, "", tmp_path / "none.png", tmp_path / f"{name}.png"))
    pairs.append(Pair("e0", "", tmp_path / "none.png", tmp_path / "e1.png"))  # shares its sharp image
    expected = {"a2": "a2", "b1": "a2", "c1": "c1", "c2": "c1", "c3": "c1", "d1": "d1", "e0": "e0", "e1": "e0"}
    assert similar_groups(pairs, jobs=1) == expected
    assert similar_groups(pairs[::-1], jobs=2) == expected
    alone = similar_groups(pairs, jobs=1, max_distance=0)
    assert (alone["a2"], alone["b1"], alone["e1"]) == ("a2", "b1", "e0")
    assert similar_groups([], jobs=1) == {}


def test_similar_groups_refusals(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"torn")
    broken = [Pair(n, "", tmp_path / "x.png", tmp_path / "x.png") for n in "ab"]
    with pytest.raises(UserError, match=r"x\.png: not a PNG, TIFF or JPEG image"):
        similar_groups(broken, jobs=1)
    with pytest.raises(ValueError, match="unique"):
        similar_groups([broken[0], broken[0]], jobs=1)
    with pytest.raises(ValueError, match="between 0 and 64, not 65"):
        similar_groups(broken, jobs=1, max_distance=65)
