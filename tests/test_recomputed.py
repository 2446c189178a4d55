"""Forged results: each is refused with the contradiction named, or marked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from known_judged import PROTOCOL, row_of

from leaderboard.comparable import check_comparable
from leaderboard.entry import entry_of, read_entry
from leaderboard.table import build_board, compared_methods
from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.errors import UserError
from sdd_bench.evaluation.recomputed import contradictions
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.metrics.table import METRICS

Rows = list[dict[str, Any]]


def forged(results: Results, folder: Path, change: Callable[[Rows], object] = lambda _: None, **fields: Any) -> Path:
    """Results with changed rows and fields and consistent means, as a careful forger would write them."""
    rows = [dict(row) for row in results.images]
    change(rows)
    path = folder / "forged.json"
    replace(results, images=rows, **fields).save(path)
    return path


def set_all(**cells: object) -> Callable[[Rows], object]:
    return lambda rows: [row.update(cells) for row in rows]


def with_digest(protocol: dict[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in protocol.items() if key != "sha256"}
    return {**fields, "sha256": hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()}


def of_rows(results: Results, rows: Rows) -> dict[str, Any]:
    """The dataset of results as it would be with other rows."""
    digest = content_sha256((row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in rows)
    return {**results.dataset, "n_images": len(rows), "sha256": digest}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_all(geometry="in place", flags=[], gdi_px=2.0, gdi_se_px=0.01), "in place, with a displacement of 2.00"),
        (set_all(geometry="in place", flags=[]), "geometry is in place, with a shift of 0.[45]"),
        (set_all(flags=[]), r"flags are \[\], its geometry is displaced"),
        (set_all(geometry="not measurable", flags=[]), "geometry is not measurable, with a measured share of"),
        (set_all(psnr_db=60.0, mae=0.5, uncertainty_db=10.0), "PSNR is 60 dB, with MAE 0.5 it lies between 3.01"),
        (set_all(psnr_db=math.inf, uncertainty_db=10.0), "PSNR is inf dB, with MAE 0.0"),
        (set_all(ceiling_db=90.0), "uncertainty_db is .*, by PSNR and ceiling"),
        (set_all(lpips=0.05), "LPIPS has values, and no weights are named"),
        (lambda rows: rows.pop(), "n_images is 2, with 1 rows and 0 missing"),
    ],
)  # fmt: skip
def test_rows_that_contradict_themselves_are_refused(
    scored: dict[str, Results], tmp_path: Path, change: Callable[[Rows], object], words: str
) -> None:
    path = forged(scored["moved"], tmp_path, change, flags=(), status="measured")
    with pytest.raises(UserError, match=words):
        read_entry(path)


def test_a_flag_taken_away_is_found(scored: dict[str, Results], tmp_path: Path) -> None:
    path = forged(scored["moved"], tmp_path, flags=(), status="measured")
    with pytest.raises(UserError, match=r"flags are \[\], by the rows .*2 of 2 images are displaced"):
        read_entry(path)
    with pytest.raises(UserError, match="status is measured, by the rows flagged"):
        read_entry(forged(scored["moved"], tmp_path, status="measured"))
    with pytest.raises(UserError, match="status is measured, by the rows partial"):
        read_entry(
            forged(scored["honest"], tmp_path, missing=("c",), dataset={**scored["honest"].dataset, "n_images": 3})
        )


def test_images_left_out_are_found_or_make_another_dataset(scored: dict[str, Results], tmp_path: Path) -> None:
    honest = scored["honest"]
    path = forged(honest, tmp_path, lambda rows: rows.pop(), dataset={**honest.dataset, "n_images": 1})
    with pytest.raises(UserError, match=r"the dataset's sha256 is '.*', that of the rows' images"):
        read_entry(path)
    rows = [dict(row) for row in honest.images[:1]]
    path = forged(honest, tmp_path, lambda rows: rows.pop(), dataset=of_rows(honest, rows))
    with pytest.raises(UserError, match=r"differ.*dataset_sha256"):
        check_comparable([entry_of(scored["filtered"], "filtered"), read_entry(path)])


def test_a_protocol_of_a_known_name_is_that_protocol(scored: dict[str, Results], tmp_path: Path) -> None:
    other = with_digest({**scored["honest"].protocol, "mask": "none"})
    with pytest.raises(UserError, match="the protocol is called anchored/2, and its mask is 'none'"):
        read_entry(forged(scored["honest"], tmp_path, protocol=other))


def test_results_without_diagnostics_are_unchecked_and_ranked_apart(
    scored: dict[str, Results], unchecked: Results, tmp_path: Path
) -> None:
    assert unchecked.status == "unchecked"
    older = forged(unchecked, tmp_path, status="measured", method=Method("older"))
    assert read_entry(older).status == "unchecked"
    checked = [entry_of(scored[name], name) for name in ("honest", "filtered")]
    board = build_board([entry_of(unchecked, "unchecked"), *checked])
    assert board.rows["status"].tolist() == ["measured", "measured", "unchecked"]
    assert set(compared_methods(board)) == {"honest", "filtered"}
    alone = build_board([entry_of(unchecked, "unchecked"), read_entry(older)])
    assert set(compared_methods(alone)) == {"unchecked", "older"}


def test_names_that_look_alike_are_refused_together(scored: dict[str, Results]) -> None:
    named = [
        entry_of(replace(scored["honest"], method=Method(name)), name)
        for name in ("Net A", "net-a", "N\u0435tA", "Net B")
    ]
    words = r"cannot be told apart; rename one of them.*'Net A' \(Net A\) and 'net-a' \(net-a\) and 'N.tA'"
    with pytest.raises(UserError, match=words) as raised:
        check_comparable(named)
    assert "Net B" not in str(raised.value)


def test_lpips_of_different_weights_shares_no_table(scored: dict[str, Results]) -> None:
    entries = [
        replace(entry_of(scored[name], name), weights={"lpips": digest * 64} if digest else {})
        for name, digest in (("honest", "a"), ("filtered", "b"), ("blur", ""))
    ]
    with pytest.raises(UserError, match="LPIPS of different weights; score again with one --lpips-trunk"):
        check_comparable(entries)
    check_comparable(entries[1:])


@pytest.mark.parametrize(
    ("metric", "keys"),
    [("dists", ("dists_vgg16_sha256", "dists_weights_sha256")), ("topiq_nr", ("topiq_nr_sha256",))],
)
def test_optional_metrics_of_different_weights_share_no_table(
    scored: dict[str, Results], metric: str, keys: tuple[str, ...]
) -> None:
    def weighed(name: str, *digests: str) -> Results:
        rows = tuple({**row, metric: 0.1} for row in scored[name].images)
        weights = dict(zip(keys, (digest * 64 for digest in digests), strict=True)) if digests else {}
        return replace(scored[name], images=rows, weights=weights)

    same, other = ("a", "b")[: len(keys)], ("a", "c")[: len(keys)] if len(keys) > 1 else ("c",)
    entries = [entry_of(weighed("honest", *same), "one"), entry_of(weighed("filtered", *other), "two")]
    heading = METRICS[metric].heading
    words = f"{heading} of different weights; score again with one --weights, or without {metric}"
    with pytest.raises(UserError, match=words):
        check_comparable(entries)
    check_comparable([entries[0], entry_of(weighed("filtered", *same), "two")])
    check_comparable([entries[0], entry_of(scored["filtered"], "not measured")])
    assert contradictions(weighed("honest", *same)) == ""
    assert f"{heading} has values, and no weights are named" in contradictions(weighed("honest"))


def test_honest_results_read_back(scored: dict[str, Results], judged: Path) -> None:
    for name, results in scored.items():
        assert read_results(judged / f"{name}.{PROTOCOL.replace('/', '-')}.json") == results
    assert row_of(scored["moved"])["flags"]
