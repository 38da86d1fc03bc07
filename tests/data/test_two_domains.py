"""Two domains: what is drawn of each, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from PIL import Image

from gantrain.data import Augment, DataContext, Digits, DigitsDomains, UnpairedFolders, identity_of
from gantrain.data.digit_domains import rendered
from gantrain.data.domains import BothDomains
from gantrain.errors import UserError


def context(tmp_path: Path, **more: object) -> DataContext:
    return DataContext(tmp_path, CPU, cache=tmp_path / "cache", **more)  # type: ignore[arg-type]


def folder(place: Path, count: int, first: int, size: tuple[int, int] = (20, 16)) -> Path:
    """So many pictures, each of one grey level of its own, from `first` on."""
    place.mkdir(parents=True)
    for k in range(count):
        Image.new("L", size, first + k).save(place / f"{k:03d}.png")
    return place


@pytest.fixture
def horses(tmp_path: Path) -> Path:
    """Pictures of 5 levels from 10 on in trainA, of 7 from 100 on in trainB, in sizes of their own; test ones too."""
    folder(tmp_path / "set/trainA", 5, 10)
    folder(tmp_path / "set/trainB", 7, 100, (33, 40))
    folder(tmp_path / "set/testA", 2, 50)
    folder(tmp_path / "set/testB", 3, 150)
    return tmp_path / "set"


def levels(x: torch.Tensor) -> list[int]:
    return [round(value) for value in ((x[:, 0, 0, 0] + 1) * 127.5).tolist()]


def test_each_domain_comes_in_an_order_of_its_own_and_as_often_as_its_size_asks(tmp_path: Path, horses: Path) -> None:
    source = UnpairedFolders(str(horses), image_size=8, channels=1)
    batches = source.open(context(tmp_path))
    assert isinstance(batches, BothDomains)
    assert (source.shape, source.other_shape, batches.size) == ([1, 8, 8], [1, 8, 8], 7)
    drawn = batches.draw(0, 35)
    assert set(drawn) == {"real", "other"}
    for name, levels_there in (("other", range(10, 15)), ("real", range(100, 107))):
        found, size = levels(drawn[name]), len(levels_there)
        for epoch in range(35 // size):
            assert sorted(found[epoch * size : (epoch + 1) * size]) == list(levels_there), name
    later = batches.draw(12, 9)
    assert levels(later["other"]) == levels(drawn["other"])[12:21], "what is drawn follows from the position alone"
    assert levels(later["real"]) == levels(drawn["real"])[12:21]


def test_equal_sizes_make_no_pairs(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", 20, 10), folder(tmp_path / "b", 20, 100)
    batches = UnpairedFolders(path_a=str(a), path_b=str(b), image_size=8, channels=1).open(context(tmp_path))
    for now in (batches, batches.unaugmented(), batches.unaugmented(3)):
        drawn = now.draw(0, 20)
        assert len({y - x for x, y in zip(levels(drawn["other"]), levels(drawn["real"]), strict=True)}) > 5


def test_what_is_streamed_from_disk_is_the_same(tmp_path: Path, horses: Path) -> None:
    source = UnpairedFolders(str(horses), image_size=8, channels=1)
    here, streamed = source.open(context(tmp_path)), source.open(context(tmp_path, budget=10))
    try:
        for position in (0, 6, 12):
            one, two = here.draw(position, 6), streamed.draw(position, 6)
            assert all(torch.equal(one[name], two[name]) for name in ("real", "other"))
    finally:
        streamed.close()
    assert streamed.waited > 0


def test_pictures_of_the_test_folders_are_held_out(tmp_path: Path, horses: Path) -> None:
    held = UnpairedFolders(str(horses), image_size=8, channels=1).held_out_part()
    assert held is not None
    assert held.held_out_part() is None
    drawn = held.open(context(tmp_path)).draw(0, 3)
    assert sorted(levels(drawn["real"])) == [150, 151, 152]
    assert set(levels(drawn["other"])) <= {50, 51}


def test_domains_within_train_and_test(tmp_path: Path) -> None:
    for k, name in enumerate(("train/A", "train/B", "test/A", "test/B")):
        folder(tmp_path / "set" / name, 2, 10 + 50 * k)
    source = UnpairedFolders(str(tmp_path / "set"), image_size=8, channels=1)
    held = source.held_out_part()
    assert held is not None
    for part, first in ((source, 10), (held, 110)):
        drawn = part.open(context(tmp_path)).draw(0, 2)
        assert sorted(levels(drawn["other"])) == [first, first + 1]
        assert sorted(levels(drawn["real"])) == [first + 50, first + 51]


def test_what_is_said_of_a_domain_is_said_once(tmp_path: Path, horses: Path) -> None:
    (horses / "trainA" / "broken.png").write_text("nothing")
    said: list[str] = []
    source = UnpairedFolders(str(horses), image_size=8, channels=1)
    source.open(context(tmp_path, budget=2**30, say=said.append))
    for word in ("packing domain_a", "packing domain_b", "broken.png", "5 samples of domain_a"):
        assert sum(word in line for line in said) == 1, word


def test_where_pictures_lie_does_not_tell_data_from_others(tmp_path: Path) -> None:
    for place in ("here", "there"):
        for name in ("A", "B"):
            folder(tmp_path / place / name, 2, 10)
    here, there = (UnpairedFolders(str(tmp_path / place), image_size=8, channels=1) for place in ("here", "there"))
    assert identity_of(here) == identity_of(there)
    folder(tmp_path / "there" / "B" / "more", 1, 50)
    assert identity_of(here) != identity_of(there)


def test_any_two_folders_are_domains_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder(tmp_path / "both/zebra", 2, 100)
    folder(tmp_path / "both/horse", 2, 10)
    drawn = UnpairedFolders(str(tmp_path / "both"), image_size=8, channels=1).open(context(tmp_path)).draw(0, 2)
    assert sorted(levels(drawn["other"])) == [10, 11]


def test_settings_left_open_follow_from_both_domains(tmp_path: Path) -> None:
    folder(tmp_path / "grey", 3, 10, (40, 40))
    (tmp_path / "colour").mkdir()
    for k in range(3):
        Image.new("RGB", (40, 40), (200, 10 * k, 0)).save(tmp_path / f"colour/{k}.png")
    settings = {"path_a": str(tmp_path / "grey"), "path_b": str(tmp_path / "colour")}
    assert UnpairedFolders.auto("channels", settings, tmp_path) == 3
    assert UnpairedFolders.auto("image_size", settings, tmp_path) == 32
    assert UnpairedFolders.auto("augment.flip", settings, tmp_path) is False
    assert "channels=3" in UnpairedFolders.reason("channels", settings)


def test_each_domain_is_augmented_by_itself(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(32):
            Image.fromarray(x).save(tmp_path / name / f"{k}.png")
    paths = {"path_a": str(tmp_path / "a"), "path_b": str(tmp_path / "b"), "image_size": 8, "channels": 1}
    torch.manual_seed(0)
    drawn = UnpairedFolders(**paths, augment=Augment(flip=True)).open(context(tmp_path)).draw(0, 32)
    flipped = {name: [bool((y != drawn[name][0]).any()) for y in drawn[name]] for name in ("real", "other")}
    assert 4 < sum(flipped["real"]) < 28
    assert 4 < sum(flipped["other"]) < 28
    assert flipped["real"] != flipped["other"]
    one = UnpairedFolders(**paths, augment=Augment(), other_augment=Augment(flip=True)).open(context(tmp_path))
    drawn = one.draw(0, 32)
    assert (drawn["real"] == drawn["real"][:1]).all()
    assert not (drawn["other"] == drawn["other"][:1]).all()


@pytest.mark.parametrize(
    ("folders", "settings", "sentence"),
    [
        ({}, {}, "dataset.path_a=… and dataset.path_b=…"),
        ({}, {"path": "none"}, "there is no folder"),
        ({"trainA": 2}, {"path": ""}, "there is no folder .*trainB, which should hold the pictures of domain B"),
        ({"trainA": 2, "trainB": 0}, {"path": ""}, "domain B is empty: .*trainB holds no pictures"),
        (
            {"a": 0, "b": 2},
            {"path_a": "a", "path_b": "b"},
            "domain A is empty: .*or set dataset.path_a",
        ),
        ({"x": 1, "y": 1, "z": 1}, {"path": ""}, "holds 3 folders, and should hold two"),
        ({"train": 1, "test": 1}, {"path": ""}, "test and train, which are no two domains"),
        ({"testA": 1, "testB": 1}, {"path": ""}, "testA and testB, which are no two domains"),
        ({"a": 1}, {"path_a": "a", "path_b": "a"}, "both domains are"),
        ({"a": 1, "b": 1}, {"path": "", "path_a": "a"}, "leave one out"),
    ],
)
def test_refusals(tmp_path: Path, folders: dict[str, int], settings: dict[str, str], sentence: str) -> None:
    for name, count in folders.items():
        folder(tmp_path / name, count, 0)
    with pytest.raises((UserError, ValueError), match=sentence):
        UnpairedFolders(**{key: str(tmp_path / value) for key, value in settings.items()}).open(context(tmp_path))


@pytest.mark.parametrize("domains", ["coloured", "negative", "edges"])
def test_no_digit_is_in_both_domains(tmp_path: Path, domains: str) -> None:
    source = DigitsDomains(domains, image_size=8, held_out=100)  # type: ignore[arg-type]
    held = source.held_out_part()
    assert held is not None
    whole = Digits(8).fields(context(tmp_path))
    seen = []
    for domain in (source.a, source.b, held.a, held.b):
        fields, look = domain.fields(context(tmp_path)), domain.look  # type: ignore[attr-defined]
        every = rendered(torch.from_numpy(np.array(whole["real"])), look).numpy()
        if look == "coloured":  # the ink is drawn for each, and every ink has all of the red
            every, fields = every[:, :1], {**fields, "real": fields["real"][:, :1]}
        index = {x.tobytes(): k for k, x in enumerate(np.array(every))}
        found = [index.get(np.array(x).tobytes()) for x in fields["real"]]
        assert None not in found
        assert (whole["label"][found] == fields["label"]).all()
        seen.append(set(found))
    assert len(set.union(*seen)) == sum(map(len, seen)) > 1700
    assert [len(fields) for fields in seen[2:]] == [100, 100]


def test_looks() -> None:
    grey = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    grey[0, 0, 2, 2] = 200
    assert (rendered(grey, "negative").int() + grey.int() == 255).all()
    assert rendered(grey, "dark").shape == (1, 3, 5, 5)
    assert rendered(grey, "dark")[0, :, 2, 2].tolist() == [55, 55, 55]
    edges = rendered(grey, "edges")[0, 0]
    assert edges[2, 2] == 0
    assert (edges[1:4, 1:4].sum() == 8 * 200).item()
    assert edges.sum() == 8 * 200
    assert rendered(grey, "coloured")[0, :, 0, 0].tolist() == [24, 32, 96]
