"""Samples of games that start from data or from the user's texts: what is read for them, and how many at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from untrained import asked, untrained

from gantrain.captions import decoded
from gantrain.commands.asking import request_of
from gantrain.commands.show_saliency import show_saliency
from gantrain.commands.show_samples import show_samples
from gantrain.commands.trained import TrainedRun
from gantrain.games import Request
from gantrain.report.console import Console
from gantrain.turns import Batch, Samples

TEXTS = "dataset=digits_captions dataset.image_size=16 dataset.pictures=40 model.generator.width=2 tricks=[]"
TEXTS += " model.discriminator.width=2 model.picture.width=2 model.encoder.width=4"
DOMAINS = "dataset=digits_domains dataset.image_size=8 trainer.batch_size=4 model.generator.width=2"
DOMAINS += " model.generator.blocks=1 model.discriminator.width=2 model.discriminator.patch=16"


def test_a_text_needs_no_data_and_no_fewer_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = untrained(tmp_path, *TEXTS.split())

    def gone(*ignored: object, **more: object) -> None:
        raise AssertionError("the data is not here")

    monkeypatch.setattr(TrainedRun, "data", gone)
    request = request_of(run, asked(n=500), {"text": "a red 7"}, Console())
    assert (request.n, len(request.inputs["caption"])) == (500, 500)


def test_where_d_looks_at_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated pictures are of the text, real ones of captions of their own."""
    run = untrained(tmp_path, *TEXTS.split())
    seen: dict[str, Tensor] = {}
    generate, real = run.game.generate, run.game.real

    def generated(batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        seen["generated"] = batch.data["caption"]
        return generate(batch, averaged)

    def known(batch: Batch) -> Mapping[str, Samples]:
        seen["real"] = batch.data["caption"]
        return real(batch)

    monkeypatch.setattr(run.game, "generate", generated)
    monkeypatch.setattr(run.game, "real", known)
    assert show_saliency(run, asked(n=3), {"text": "a red 7"}, "png", Console()).n == 3
    alphabet = run.cfg.model.alphabet
    said = {kind: {decoded(codes, alphabet) for codes in captions.tolist()} for kind, captions in seen.items()}
    assert said["generated"] == {"a red 7"}
    assert "a red 7" not in said["real"]


def test_no_more_pictures_are_translated_at_once_than_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained(tmp_path, *DOMAINS.split())
    parts: list[int] = []
    sample = run.game.sample

    def counted(request: Request) -> Mapping[str, Samples]:
        parts.append(len(request.inputs["other"]))
        return sample(request)

    monkeypatch.setattr(run.game, "sample", counted)
    with torch.no_grad():
        shown = show_samples(run, asked(n=10), {}, "png", Console())
    assert (shown.n, parts) == (10, [4, 4, 2])
