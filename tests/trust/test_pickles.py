"""Pickles that others wrote are read as data, and gantrain writes none of its own."""

from __future__ import annotations

import ast
import io
import pickle
import re
import struct
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command
from strangers import set_traps

from gantrain.data.cifar import read_batch, unpack
from gantrain.data.vision import Cifar10, read_idx
from gantrain.errors import UserError
from gantrain.metrics.torchscript import _tensor, read_torchscript
from gantrain.metrics.weights import Published, weights_of
from gantrain.runs import load_checkpoint
from gantrain.untrusted import BROKEN, DataUnpickler, check_nesting

ROOT = Path(__file__).parent.parent.parent
PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
READERS = {
    "gantrain/untrusted.py",
    "gantrain/data/cifar.py",
    "gantrain/metrics/weights.py",
    "gantrain/metrics/classifier.py",
}
"""Where the module is named: one reads data with it, the others know its error."""
FORGER = "scripts/fuzzed_files.py"
"""Makes pickles that are thrown at gantrain, and reads none."""

SUSPECT = re.compile(rf"{'|'.join(PICKLERS)}|\.load\(|\.PackageImporter")


@pytest.fixture(autouse=True)
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is there once the stranger's package was imported."""
    return set_traps(tmp_path, monkeypatch)


def sources() -> list[tuple[str, ast.Module]]:
    files = [file for room in ("gantrain", "scripts", "benchmarks") for file in sorted((ROOT / room).rglob("*.py"))]
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in files}
    return [(name, ast.parse(text)) for name, text in texts.items() if SUSPECT.search(text)]


def calls(tree: ast.AST) -> list[tuple[str, dict[str, Any]]]:
    """What is called by a dotted name, with the constants that it is given by name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = {word.arg: getattr(word.value, "value", ...) for word in node.keywords if word.arg}
            found.append((ast.unparse(node.func), words))
    return found


def test_nothing_is_read_or_written_as_a_pickle() -> None:
    for name, tree in sources():
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        named = {alias.name.split(".")[0] for node in imports for alias in node.names if isinstance(node, ast.Import)}
        named |= {str(node.module).split(".")[0] for node in imports if isinstance(node, ast.ImportFrom)}
        assert not named & PICKLERS or name in READERS or name == FORGER, name
        for called, words in calls(tree):
            last = called.rpartition(".")[2]
            assert not (called.startswith("pickle.") and last in ("load", "loads")), name
            assert not (called.startswith("pickle.") and last in ("dump", "dumps")) or name == FORGER, name
            if called == "torch.load":
                assert words.get("weights_only") is True, name
            assert called not in ("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"), name
            assert words.get("allow_pickle", False) is False, name


class Harm:
    """Runs the stranger's package where it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("import touching",)


HARM = [pickle.dumps(Harm(), protocol) for protocol in range(6)]
HARM += [
    pickle.dumps({"data": Harm(), "labels": []}),
    b"ctouching\nNow\n.",
    b"\x80\x04\x8c\x08touching\x8c\x03Now\x93.",
]
HARM += [b"(S'import touching'\nibuiltins\nexec\n.", b"\x82\x01.", b"Ptouching\n.", b"\x80\x02]q\x01h\x01\x81."]
HARM += [pickle.dumps(np.array([Harm()], dtype=object)), pickle.dumps(np.zeros(3)), pickle.dumps({(1, 2): 3})]
BOMBS = [
    b"r\xff\xff\xff\x7f",
    b"N" + b"r\xff\xff\xff\x7f.",
    b"\x8e" + struct.pack("<Q", 2**62),
    b"\x96" + struct.pack("<Q", 2**40),
]
BOMBS += [
    b"}" + b")" + b"\x85" * 300_000 + b"Ns.",
    b"B\xff\xff\xff\x7f",
    b"X\xff\xff\xff\xff",
    b"\x95" + struct.pack("<Q", 2**60),
]


@pytest.mark.parametrize("content", [*HARM, *BOMBS, b"", b".", b"}.", b"N."])
def test_no_file_of_cifar_holds_more_than_data(trace: Path, content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  in many words
        read_batch(content)
    assert not trace.exists()


def test_no_checkpoint_and_no_weights_hold_more_than_tensors(trace: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.pt"
    published = Published("x.pt", "a page", 0, "")
    for held in (Harm(), {"format": 2, "game": Harm()}, [Harm()]):
        for new in (True, False):
            torch.save(held, file, _use_new_zipfile_serialization=new)
            with pytest.raises(UserError):
                load_checkpoint(file)
            with pytest.raises(UserError):
                weights_of(published, str(file), "weights", tmp_path, print)
    for content in (*HARM, *BOMBS):
        file.write_bytes(content)
        with pytest.raises(UserError):
            load_checkpoint(file)
        with pytest.raises(UserError):
            weights_of(published, str(file), "weights", tmp_path, print)
    assert not trace.exists()


def torchscript(file: Path, data: bytes, packing: int = zipfile.ZIP_STORED, **members: bytes) -> None:
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("x/constants.pkl", b"\x80\x02).")
        archive.writestr("x/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"x/{name}", content)


def test_no_archive_of_torchscript_holds_more_than_tensors(trace: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.pt"
    for content in (*HARM, *BOMBS):
        torchscript(file, content)
        with pytest.raises(ValueError):  # noqa: PT011  in many words
            read_torchscript(file)
    torchscript(file, b"c__torch__\nNet\n)\x81}b.", zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed"):
        read_torchscript(file)
    torchscript(file, b"c__torch__\nNet\n)\x81}b.")
    assert read_torchscript(file) == {}
    assert not trace.exists()


def test_a_key_whose_hash_never_ends_is_refused_at_once(tmp_path: Path) -> None:
    key: tuple[Any, ...] = ()
    for _ in range(60):
        key = (key, key)
    pair = pickle.dumps([key])  # named twice at each level, written once
    began = time.monotonic()
    with pytest.raises(pickle.UnpicklingError, match="more than"):
        check_nesting(io.BytesIO(pair))
    assert time.monotonic() - began < 1


def test_no_tensor_of_torchscript_is_larger_than_its_values() -> None:
    with pytest.raises(ValueError, match="larger than its values"):
        _tensor(torch.zeros(1), 0, (10**11,), (0,))
    assert _tensor(torch.arange(4.0), 1, (3,), (1,)).tolist() == [1, 2, 3]


def test_a_state_is_given_to_those_alone_that_take_one() -> None:
    def stays() -> None:
        """Its defaults and its dictionary could be changed by a pickle."""

    content = b"cits\nown\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises(BROKEN):
        DataUnpickler(content, {("its", "own"): stays}).load()
    assert vars(stays) == {}


def batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A file as Python 2 wrote those of CIFAR-10."""
    shape = b"".join(b"M" + struct.pack("<H", side) for side in pixels.shape)
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = pixels.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    array += b"(K\x01" + shape + b"\x86" + kind + b"\x89T" + struct.pack("<I", len(content)) + content + b"tb"
    told = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + told + b"u."


def test_a_file_of_cifar_is_read() -> None:
    pixels = np.random.default_rng(0).integers(256, size=(3, 3072), dtype=np.uint8)
    images, labels = read_batch(batch(pixels, [7, 0, 9]))
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert np.array_equal(images, pixels.reshape(3, 3, 32, 32))
    assert labels.tolist() == [7, 0, 9]
    for wrong in (batch(pixels, [1, 2]), batch(pixels, [1, 2, 10]), batch(pixels[:, 1:], [1, 2, 3])):
        with pytest.raises(ValueError, match="none of CIFAR-10's"):
            read_batch(wrong)


@pytest.mark.slow
def test_the_published_files_of_cifar_are_read(real_data: Path) -> None:
    images, labels = Cifar10("test").read(real_data)
    assert images.shape == (10_000, 3, 32, 32)
    assert np.bincount(labels).tolist() == [1000] * 10


def tar(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(file, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def member(name: str, kind: bytes = tarfile.REGTYPE, leads: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, leads
    return info


def test_an_archive_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    archive, folder = tmp_path / "x.tar.gz", tmp_path / "data" / "cifar"
    good = member("cifar/a")
    tar(
        archive,
        (member("../mine"), b"gone"),
        (member(str(tmp_path / "mine")), b"gone"),
        (member("cifar/../../mine"), b"gone"),
        (member("cifar/link", tarfile.SYMTYPE, "../../mine"), b""),
        (member("cifar/b", tarfile.SYMTYPE, "../../mine"), b""),
        (member("cifar/b", tarfile.LNKTYPE, "../mine"), b""),
        (member("cifar/b", tarfile.FIFOTYPE), b""),
        (member("cifar/b", tarfile.CHRTYPE), b""),
        (good, b"as published"),
    )
    with pytest.raises(ValueError, match="it lacks b"):
        unpack(archive, folder, ["a", "b"])
    assert (tmp_path / "mine").read_text() == "precious"
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*")) == [
        "data/cifar",
        "data/cifar/a",
    ]
    assert (folder / "a").read_bytes() == b"as published"
    for damaged in (b"", b"no archive", archive.read_bytes()[:-40]):
        archive.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            unpack(archive, folder, ["a", "b"])


IDX = b"\0\0\x08\x03" + struct.pack(">3I", 2, 1, 3) + b"abcdef"


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"\0\0",
            b"\0\0\x0d\x01" + struct.pack(">I", 6) + b"abcdef",
            IDX[:7],
            IDX[:-1],
            IDX + b"g",
            b"ab\x08\x01",
        ),
        *(b"\0\0\x08\xff" + b"\xff" * 2000, b"\0\0\x08\x02" + struct.pack(">2I", 2**31, 2**31) + b"a", b"\0\0\x08\x00"),
    ],
)
def test_a_damaged_file_of_mnists_format_is_refused(content: bytes) -> None:
    assert read_idx(IDX).tolist() == [[[97, 98, 99]], [[100, 101, 102]]]
    with pytest.raises(ValueError):  # noqa: PT011  in NumPy's words too
        read_idx(content)


def test_a_folder_of_pictures_holds_no_pickles(gantrain: Command, tmp_path: Path, trace: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in ("a.png", "b.npy", "c.pkl", "d.gif"):
        (tmp_path / "set" / name).write_bytes(HARM[2])
    np.save(tmp_path / "table.npy", np.array([[Harm()]], dtype=object), allow_pickle=True)
    for path in ("set", "table.npy"):
        kind = "array" if path.endswith("npy") else "image_folder"
        done = gantrain(f"dataset={kind}", f"dataset.path={path}")
        assert done.returncode == 2, done.stderr
    assert not trace.exists()
