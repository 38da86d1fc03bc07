"""A figure says how it was measured, and is ranked among its like alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluations import evaluation_of, real_of

from gantrain.data import Array, Digits, Gaussian1d, ImageFolder, Ring, Source, identity_of
from gantrain.metrics import (
    AsAsked,
    ClassBalance,
    CycleError,
    Diversity,
    Evaluation,
    FeatureMetric,
    Memorised,
    Metric,
    Modes,
    Moments,
    Pixels,
    Protocol,
    SameClass,
    SpectrumError,
    TranslationError,
    Values,
    protocols,
)
from gantrain.report.html.figures import MEANINGS

PROTOCOL = Protocol("FID", "Mnist 1x28x28", True, 5000, 60_000, "train", "classifier", "none", "lower", {"k": 3})


def test_a_protocol_is_written_as_plain_values() -> None:
    held = json.loads(json.dumps(PROTOCOL.to_dict()))
    assert Protocol(**held) == PROTOCOL
    assert Protocol("Modes", "Ring 2", False).to_dict() == {"metric": "Modes", "data": "Ring 2", "averaged": False}


def test_a_folder_is_named_in_signs_that_every_terminal_shows(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31m"
    folder.mkdir()
    assert real_of(ImageFolder(str(folder)), tmp_path).name.startswith("ImageFolder 3x64x64 a\\x1b[31m #")


def test_a_protocol_reads_as_a_sentence() -> None:
    text = str(PROTOCOL)
    for fact in ("5,000 samples of the averaged generator", "60,000 real ones", "train part of Mnist", "k 3"):
        assert fact in text


def test_every_figure_has_its_protocol_and_its_better_end() -> None:
    evaluation = evaluation_of(torch.zeros(3, 2), Ring())
    found = protocols({"modes": Modes(3)}, evaluation)
    assert {tag: protocol.better for tag, protocol in found.items()} == {
        "metrics/modes": "higher",
        "metrics/high_quality": "higher",
        "metrics/reverse_kl": "lower",
    }
    assert {protocol.samples for protocol in found.values()} == {3}
    assert {protocol.data for protocol in found.values()} == {f"Ring 2 #{identity_of(Ring())}"}
    assert {
        p.better for p in protocols({"m": Moments(3)}, evaluation_of(torch.zeros(3, 1), Gaussian1d())).values()
    } == {None}


def test_names_of_figures_end_with_their_space_but_in_that_of_papers() -> None:
    class Distance(FeatureMetric):
        figures = ("fid",)

    papers = Pixels()
    papers.name = "inception"
    assert Distance(Pixels()).keys == ("fid_pixels",)
    assert Distance(papers).keys == ("fid",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Ring(), Ring(std=0.02)),
        (Digits(), Digits(held_out=100)),
        (ImageFolder("pictures"), ImageFolder("pictures", fit="pad")),
    ],
)
def test_unlike_data_are_told_apart(one: Source, other: Source) -> None:
    assert identity_of(one) != identity_of(other)
    assert identity_of(one) == identity_of(type(one)(*(["pictures"] if isinstance(one, ImageFolder) else [])))


def test_files_of_the_users_own_are_told_apart_wherever_they_lie(tmp_path: Path) -> None:
    for name, table in {"a": np.eye(3), "b": np.eye(3), "c": np.ones((3, 3))}.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "table.npy", table)
    first, same, other = (identity_of(Array(str(tmp_path / name / "table.npy"), 3)) for name in "abc")
    assert first == same != other


def test_figures_with_the_runs_own_networks_or_right_between_are_not_ranked() -> None:
    evaluation = evaluation_of(torch.zeros(3, 2), Ring())
    own = Pixels()
    own.of_the_run = True

    class Distance(FeatureMetric):
        figures = ("fid",)

        def protocol(self, evaluation: Evaluation) -> Protocol:
            return self.protocol_of(evaluation)

    class Share(Diversity):
        protocol = Distance.protocol

    found = protocols({"own": Distance(own), "share": Share(Values())}, evaluation)
    assert {tag: protocol.better for tag, protocol in found.items()} == {
        "metrics/fid_pixels": None,
        "metrics/diversity_values": None,
    }


def test_figures_that_are_best_between_have_no_better_end() -> None:
    copies, balance = Memorised(Pixels()), ClassBalance(Pixels())
    assert (copies.neither, balance.neither) == ({"nearest_distance_pixels"}, {"rarest_class_pixels"})
    assert SpectrumError.neither == {"spectrum_excess"}
    assert Diversity(Pixels()).neither == {"diversity_pixels"}


@pytest.mark.parametrize("metric", [CycleError(), SameClass(), TranslationError(), AsAsked()])
def test_what_figures_mean_is_told(metric: Metric) -> None:
    for key in metric.keys:
        assert MEANINGS[key].better == ("higher" if key in metric.higher_is_better else "lower")
