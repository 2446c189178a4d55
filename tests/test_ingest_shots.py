"""Sessions to pairs: orientation, copies, light and development of shots."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from known_cli import rows
from known_raw import mosaic, write_dng
from known_session import HARBOUR, MOVED, call_ingest, copy, describe, views, write_pair
from PIL import Image

from capture.ingest import Settings, ingest
from capture.pair import match_light
from capture.session import read_session
from sdd_bench.io.images import read_pixels, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb


def tagged(card: Path, stem: str, orientations: dict[str, int]) -> None:
    """Replace the PNG files of a pair by JPEG files with the same stored pixels and these orientation tags."""
    for role, orientation in orientations.items():
        tags = Image.Exif()
        tags[0x0112] = orientation
        Image.fromarray(read_pixels(card / f"{stem}-{role}.png")).save(
            card / f"{stem}-{role}.jpg", quality=95, exif=tags
        )
    described = (card / "session.csv").read_text(encoding="utf-8")
    text = re.sub(rf"{stem}-(far|near)\.png", rf"{stem}-\1.jpg", described)
    (card / "session.csv").write_text(text, encoding="utf-8")


def test_turned_shots_are_named(harbour: Path, tmp_path: Path) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    write_png(card / "crane-near.png", np.rot90(read_pixels(card / "crane-near.png")))
    write_png(card / "pier-near.png", read_pixels(card / "pier-near.png")[:, ::-1])
    write_png(card / "boat-near.png", read_pixels(card / "boat-near.png")[::-1, ::-1])
    tagged(card, "boat", {"far": 1, "near": 1})
    assert call_ingest(card, "--out", out, "--jobs", 1).exit_code == 1
    reasons = {row["name"]: row["reasons"] for row in rows(out / "refused.csv")}
    sizes = "blur is 260x180, 8 bits, gt is 180x260, 8 bits"
    assert reasons == {
        "harbour_boat": "gt is turned by 180 degrees against blur",
        "harbour_crane": f"{sizes}: gt is turned by 270 degrees clockwise against blur",
        "harbour_pier": "gt is mirrored left to right against blur",
    }


def test_the_sharp_shot_says_how_both_are_held_where_the_sensor_wavered(harbour: Path, tmp_path: Path) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    upside_down = read_pixels(card / "pier-far.png")[::-1, ::-1]
    write_png(card / "pier-far.png", upside_down)
    stored = {stem: read_pixels(card / f"{stem}-near.png") for stem in HARBOUR}
    tagged(card, "boat", {"far": 1, "near": 3})
    tagged(card, "crane", {"far": 1, "near": 6})
    tagged(card, "pier", {"far": 3, "near": 1})  # here the camera was rotated, and the tag is right
    result = call_ingest(card, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    found = {row["scene"]: row for row in rows(out / "pairs.csv")}
    assert {scene: row["reasons"] for scene, row in found.items()} == {
        "harbour_boat": "EXIF orientation differs: blur 1, gt 3; both are shown as gt's says",
        "harbour_crane": "EXIF orientation differs: blur 1, gt 6; both are shown as gt's says",
        "harbour_pier": "EXIF orientation differs: blur 3, gt 1",
    }
    for stem, quarters in (("boat", 2), ("crane", -1), ("pier", 0)):
        sharp = read_pixels(out / "gt" / f"harbour_{stem}.png").astype(float)
        assert np.abs(sharp - np.rot90(stored[stem], quarters)).mean() < 3
        assert float(found[f"harbour_{stem}"]["zoom"]) == pytest.approx(MOVED.zoom, abs=2e-3)
    assert "both are shown as gt&#39;s says" in (out / "session-report.html").read_text(encoding="utf-8")


def test_raw_shots_of_one_tripod_are_laid_alike(harbour: Path, tmp_path: Path) -> None:
    card, out = tmp_path / "card", tmp_path / "raw"
    card.mkdir()
    for role, orientation in (("far", 6), ("near", 1)):
        linear = decode_srgb(read_pixels(harbour / f"pier-{role}.png").astype(np.float32) / 255)
        write_dng(card / f"a-{role}.dng", linear, orientation=orientation)
    (card / "session.csv").write_text("file,scene,role\na-far.dng,a,blur\na-near.dng,a,gt\n", encoding="utf-8")
    result = call_ingest(card, "--out", out, "--jobs", 1)
    assert "EXIF orientation differs: blur 6, gt 1; both are shown as gt's says" in result.output
    (row,) = rows(out / "pairs.csv")
    assert (row["width"], row["height"]) == ("260", "180")
    assert float(row["zoom"]) == pytest.approx(MOVED.zoom, abs=2e-3)


def test_copies_are_found(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    for role in ("far", "near"):
        (card / f"zebra-{role}.png").write_bytes((card / f"boat-{role}.png").read_bytes())
    (card / "pier-far.png").write_bytes((card / "pier-near.png").read_bytes())
    describe(card, ("boat", "pier", "zebra"))
    outcome = ingest({"harbour": read_session(card)}, tmp_path / "raw", Settings(), jobs=1)
    verdicts = {record.name: record.verdict for record in outcome.records}
    assert verdicts["harbour_zebra"].reasons[0] == "the same two files as harbour_boat"
    assert verdicts["harbour_pier"].reasons[0] == "blur and gt are the same picture: pier-far.png, pier-near.png"
    assert [verdicts[f"harbour_{name}"].status for name in ("boat", "zebra", "pier")] == [
        "warning",
        "refused",
        "refused",
    ]


def test_views_of_a_dataset_are_found(harbour: Path, tmp_path: Path) -> None:
    for role, stem in (("blur", "far"), ("gt", "near")):
        write_png(tmp_path / "known" / role / "0007.png", read_pixels(harbour / f"crane-{stem}.png")[4:, 3:])
    card = copy(harbour, tmp_path / "harbour")
    describe(card, ("crane",))
    result = call_ingest(card, "--out", tmp_path / "raw", "--against", tmp_path / "known", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "warning: harbour_crane: gt looks like 0007 of dataset pairs" in result.output


def test_light_is_matched_and_the_gains_are_recorded(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    light = decode_srgb(read_pixels(card / "boat-far.png").astype(np.float32) / 255) * np.float32([0.5, 0.4, 0.45])
    write_png(card / "boat-far.png", to_pixels(encode_srgb(light)))
    describe(card, ("boat",))
    assert (
        "light of blur is 0.38 times that of gt"
        in call_ingest(card, "--out", tmp_path / "as-taken", "--jobs", 1).output
    )
    assert "accepted" in call_ingest(card, "--out", tmp_path / "matched", "--match-exposure", "--jobs", 1).output
    (row,) = rows(tmp_path / "matched" / "pairs.csv")
    assert [float(row[f"gain_{c}"]) for c in ("red", "green", "blue")] == pytest.approx([2, 2.5, 2.22], rel=0.05)
    assert float(row["exposure_ratio"]) == pytest.approx(1, abs=0.01)
    grey = np.full((8, 8, 3), 100, np.uint8)
    np.testing.assert_array_equal(match_light(grey // 2, grey)[0], grey)


def test_raw_and_dumps_are_developed_alike(tmp_path: Path) -> None:
    card = tmp_path / "card"
    write_pair(card, "a", views(1)[0], bits=16)
    for role in ("far", "near"):
        linear = decode_srgb(read_pixels(card / f"a-{role}.png").astype(np.float32) / 65535)
        write_dng(card / f"raw-{role}.dng", linear, neutral=(0.5, 1, 0.7) if role == "near" else (0.6, 1, 0.6))
        (100 + mosaic(linear * np.array([0.5, 1, 0.8])) * (1023 - 100)).round().astype("<u2").tofile(
            card / f"dump-{role}.bin"
        )
    height, width = linear.shape[:2]
    lines = [f"{kind}-{r}.{s},{kind},{role}" for kind, s in (("raw", "dng"), ("dump", "bin")) for r, role in
             (("far", "blur"), ("near", "gt"))]  # fmt: skip
    (card / "session.csv").write_text("\n".join(["file,scene,role", *lines, ""]), encoding="utf-8")
    out = tmp_path / "raw"
    layout = ("--raw-shape", height, width, "--raw-bits", 10, "--raw-black", 100, "--raw-white-balance", 2, 1.25)
    result = call_ingest(card, "--out", out, *layout)
    assert result.exit_code == 0, result.output
    found = {row["scene"]: row for row in rows(out / "pairs.csv")}
    assert found["card_dump"]["white_balance_red"] == "2"
    assert float(found["card_raw"]["white_balance_red"]) == pytest.approx(2, rel=1e-3)
    expected = read_pixels(card / "a-near.png").astype(float) / 65535
    for row in found.values():
        assert row["bits"] == "16"
        sharp = read_pixels(out / row["sharp"]).astype(float) / 65535
        assert np.abs(sharp - expected).mean() < 0.015
    # The blur shot was taken in another light; the pair still has the gt shot's white balance.
    assert float(found["card_raw"]["red_ratio"]) == pytest.approx(0.6 / 0.5, rel=0.03)
    half = call_ingest(card, "--out", tmp_path / "half", *layout, "--half-size", "--bits", 8)
    assert half.exit_code in (0, 1)
    assert {(r["width"], r["bits"]) for r in rows(tmp_path / "half" / "pairs.csv")} <= {(str(width // 2), "8")}


def test_a_pair_of_two_formats_is_refused(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    write_dng(card / "boat.dng", views(1)[0])
    text = (card / "session.csv").read_text(encoding="utf-8").replace("boat-near.png", "boat.dng")
    (card / "session.csv").write_text(text, encoding="utf-8")
    assert (
        "refused: harbour_boat: blur is a PNG file, gt a DNG file, expected one format"
        in call_ingest(card, "--out", tmp_path / "raw").output
    )
