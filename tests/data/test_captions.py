"""Captions: letters as codes, captions.csv beside pictures, and rendered digits whose captions are true."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU, Command, config
from PIL import Image

from gantrain.captions import alphabet_of, decoded, encoded, in_words
from gantrain.commands.assembly import plain
from gantrain.config import build
from gantrain.data import DataContext, DigitsCaptions, ImageFolder
from gantrain.data.captions import captions_below, one_caption_each
from gantrain.data.digits_captions import (
    ALPHABET,
    COLOURS,
    DIGITS,
    LENGTH,
    PLACES,
    SIZES,
    combinations,
    digit_boxes,
    size_place_colour,
)
from gantrain.errors import UserError


def test_codes_are_letters_and_come_back() -> None:
    assert encoded("Ab  a", " ab", 6) == [2, 3, 1, 2, 0, 0]
    assert decoded([2, 3, 1, 2, 0, 0], " ab") == "ab a"
    assert alphabet_of(["Zwölf", "an"]) == "aflnwzö"
    assert in_words("abcdxy0129 ,") == ", 0-2 9 a-d x y and spaces"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a 7!?", "letters that no caption of the data set has, ! ?"), ("a" * 9, "has 9 letters"), (" \n", "empty")],
)
def test_captions_that_cannot_be_coded_say_why(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        encoded(text, " a7", 8)


# --- digits_captions ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts() -> dict[str, dict[str, np.ndarray]]:
    say, place = (lambda text: None), Path()
    made = {part: DigitsCaptions(pictures=900, part=part) for part in ("train", "test")}  # type: ignore[arg-type]
    return {part: source.pack(place, place, say) for part, source in made.items()}


def facts_of(caption: str) -> list[int]:
    """What a caption says, read anew word by word."""
    found = [-1, -1, -1, -1]
    for k, names in enumerate(DIGITS):
        if re.search(rf"\b({'|'.join(names)})\b", caption):
            found[0] = k
    for fact, named in ((1, SIZES), (2, PLACES)):
        for k, phrases in enumerate(named.values()):
            if any(re.search(rf"\b{phrase}\b", caption) for phrase in phrases):
                found[fact] = k
    for k, colour in enumerate(COLOURS):
        if colour in caption.split() or f"{colour}," in caption:
            found[3] = k
    return found


@pytest.mark.parametrize("part", ["train", "test"])
def test_captions_are_true_and_say_what_is_noted(part: str, parts: dict[str, dict[str, np.ndarray]]) -> None:
    fields = parts[part]
    told = [[decoded(codes, ALPHABET) for codes in each] for each in fields["caption"].tolist()]
    read = np.array([[facts_of(caption) for caption in each] for each in told])
    assert np.array_equal(read, fields["said"])
    true = (read == -1) | (read == fields["shown"][:, None])
    assert true.all()
    assert ((read == -1).any(2).mean() > 0.2) == (part == "train"), "held-out captions say all"


@pytest.mark.parametrize("part", ["train", "test"])
def test_pictures_show_what_is_noted(part: str, parts: dict[str, dict[str, np.ndarray]]) -> None:
    fields = parts[part]
    agrees = size_place_colour(fields["real"]) == fields["shown"][:, 1:]
    assert agrees.mean(0).min() > 0.995
    assert np.array_equal(fields["label"], fields["shown"][:, 0])


def test_the_form_alone_tells_a_digit(parts: dict[str, dict[str, np.ndarray]]) -> None:
    from sklearn.svm import SVC

    boxes = {part: digit_boxes(fields["real"]).reshape(-1, 64) for part, fields in parts.items()}
    classifier = SVC(C=10).fit(boxes["train"], parts["train"]["label"])
    assert classifier.score(boxes["test"], parts["test"]["label"]) > 0.9


def test_combinations_that_are_left_out_are_never_trained_on(parts: dict[str, dict[str, np.ndarray]]) -> None:
    train, test = ({tuple(row) for row in combinations(part)} for part in ("train", "test"))  # type: ignore[arg-type]
    assert not train & test
    assert len(test) == 60
    for fact, names in enumerate((DIGITS, SIZES, PLACES, COLOURS)):
        for seen in (train, test):
            assert {row[fact] for row in seen} == set(range(len(names)))
    assert {tuple(row) for row in parts["train"]["shown"]} <= train
    assert {tuple(row) for row in parts["test"]["shown"]} <= test


def test_a_picture_without_a_digit_is_measured_too() -> None:
    black = np.zeros((2, 3, 32, 32), np.uint8)
    assert size_place_colour(black)[:, :2].tolist() == [[0, list(PLACES).index("middle")]] * 2
    assert np.isfinite(digit_boxes(black)).all()


def test_every_wording_is_drawn_and_brings_what_it_says() -> None:
    codes = torch.tensor([[[1, 2], [3, 0], [0, 0]]]).expand(4000, -1, -1).to(torch.uint8)
    said = torch.tensor([[[7], [8], [9]]]).expand(4000, -1, -1)
    torch.manual_seed(0)
    drawn = one_caption_each({"caption": codes, "said": said})
    first = (drawn["caption"] == torch.tensor([1, 2])).all(1)
    assert 0.45 < first.double().mean() < 0.55
    assert torch.equal(drawn["said"][:, 0], torch.where(first, 7, 8)), "and never the row that is none"
    assert drawn["caption"].dtype == torch.int64


def test_batches_have_one_caption_each() -> None:
    source = build(plain(config("dataset=digits_captions", "dataset.pictures=50").dataset), "dataset")
    batch = source.open(DataContext(Path(), CPU)).draw(0, 8)
    assert batch["caption"].shape == (8, LENGTH)
    assert batch["said"].shape == batch["shown"].shape == (8, 4)
    assert source.held_out_part().count(Path()) == 5


# --- captions.csv ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    (place / "sub").mkdir(parents=True)
    for k, name in enumerate(("a.png", "b.png", "sub/c.png")):
        Image.new("RGB", (20, 20), (80 * k, 0, 0)).save(place / name)
    (place / "captions.csv").write_text('file,caption\na.png,"Black, all"\na.png,dark\nb.png,a RED\nsub/c.png,redder\n')
    return place


def test_a_folder_with_captions_gives_them(folder: Path) -> None:
    cfg = config("dataset=image_folder", f"dataset.path={folder}", "model=text2image")
    assert cfg.model.alphabet == cfg.dataset.alphabet == " ,abcdeklr"
    assert cfg.model.caption_length == 10
    source = build(plain(cfg.dataset), "dataset")
    assert isinstance(source, ImageFolder)
    batches = source.open(DataContext(Path(), CPU))
    torch.manual_seed(0)
    drawn = [batches.draw(3 * k, 3) for k in range(20)]
    pairs = {
        (round(float(real[0].mean() + 1) * 127.5), decoded(codes.tolist(), cfg.model.alphabet))
        for batch in drawn
        for real, codes in zip(batch["real"], batch["caption"], strict=True)
    }
    assert pairs == {(0, "black, all"), (0, "dark"), (80, "a red"), (160, "redder")}
    assert all(torch.equal(batch["shown"], batch["said"]) for batch in drawn)


def test_a_folder_without_captions_is_as_it_was(folder: Path) -> None:
    (folder / "captions.csv").unlink()
    cfg = config("dataset=image_folder", f"dataset.path={folder}")
    assert cfg.data.alphabet is None
    fields = build(plain(cfg.dataset), "dataset").fields(DataContext(Path(), CPU))
    assert set(fields) == {"real", "label"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,caption\nz.png,red\n", "line 2, names z.png, which is not there"),
        ("file,caption\na.png,x\nb.png, \n", "line 3, has no caption for b.png"),
        ("file,text\na.png,x\n", "has no column caption"),
        ("file,caption\n", "has no captions"),
        ("file,caption\na.png,\xff\n", "cannot be read"),
    ],
)
def test_a_table_with_a_fault_says_where(folder: Path, text: str, sentence: str) -> None:
    (folder / "captions.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=f"{sentence}.*or set dataset.alphabet=null"):
        captions_below(folder)
    cfg = config("dataset=image_folder", f"dataset.path={folder}", "dataset.alphabet=null")
    assert cfg.dataset.caption_length is None, "and this is the way out"


def test_a_picture_without_a_caption_is_named(folder: Path) -> None:
    (folder / "captions.csv").write_text("file,caption\na.png,one\nb.png,two\n")
    source = ImageFolder(str(folder), 16, alphabet=" enotw", caption_length=5)
    with pytest.raises(UserError, match=r"for 1 of 3 pictures, sub.c\.png first.*or set dataset\.alphabet=null"):
        source.fields(DataContext(Path(), CPU))


def test_a_table_is_made_of_text_files_and_never_written_over(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = str(Path(__file__).parents[2] / "scripts" / "captions_csv.py")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("one\n\n two \n")
    both = [f"pictures={folder}", f"texts={tmp_path / 'texts'}"]
    before = (folder / "captions.csv").read_bytes()
    for words, sentence in (([], "name both folders"), (both, "is there already")):
        monkeypatch.setattr(sys, "argv", [script, *words])
        with pytest.raises(SystemExit, match="2"):
            runpy.run_path(script, run_name="__main__")
        assert sentence in capsys.readouterr().err
    assert (folder / "captions.csv").read_bytes() == before
    (folder / "captions.csv").unlink()
    runpy.run_path(script, run_name="__main__")
    assert capsys.readouterr().out.endswith("2 captions; 2 pictures have none\n")
    assert captions_below(folder) == {folder / "a.png": ["one", "two"]}


def test_what_data_says_of_captions(gantrain: Command, folder: Path) -> None:
    done = gantrain("data", f"dataset.path={folder}", "model=text2image")
    assert done.returncode == 0, done.stderr
    assert "4, such as 'black, all'" in done.stdout
    assert "other files, left out" not in done.stdout
