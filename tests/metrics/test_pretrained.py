"""Networks that others trained: files of their layouts with random weights, and files that are none of theirs."""

from __future__ import annotations

import hashlib
import io
import pickle
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CPU
from evaluations import real_of
from torch import Tensor, nn

from gantrain.data import DataContext, Digits, Gaussian1d, ImageFolder
from gantrain.errors import UserError
from gantrain.metrics import Clip, DinoV2, Inception, RealData, weights
from gantrain.metrics.torchscript import is_torchscript, read_torchscript
from gantrain.metrics.vision_transformer import VisionTransformer
from gantrain.metrics.weights import Published, weights_of

SMALL = Published("small.pth", "https://example.org/small.pth", 0, "")


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in a file of Inception's layout, large enough that features differ from picture to picture."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Random(FeatureExtractorInceptionV3):
        """Reads no file."""

        def load_state_dict(self, state: Any, *_: Any, **__: Any) -> Any:
            return None

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "random.pth"
    network = Random("inception-v3-compat", ["2048"], nothing)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), file)
    return file


def pictures(n: int, channels: int = 3, side: int = 32) -> Tensor:
    return torch.randint(256, (n, channels, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_inception_gives_torch_fidelitys_features(inception_file: Path, tmp_path: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    theirs = FeatureExtractorInceptionV3("any", ["2048", "logits_unbiased"], str(inception_file))
    space, real = Inception(str(inception_file)), real_of(Digits(), tmp_path)
    space.prepare(real)
    x = pictures(3)
    found = space.features(x, real, None)
    wanted = theirs(x)
    assert found.values.shape == (3, 2048) == (3, space.size)
    assert found.logits is not None
    assert torch.equal(found.values, wanted[0])
    assert torch.equal(found.logits, wanted[1])
    assert hashlib.sha256(inception_file.read_bytes()).hexdigest()[:8] in space.identity()
    grey = space.features(x[:1, :1], real, None).values
    assert torch.equal(grey, space.features(x[:1, :1].expand(-1, 3, -1, -1), real, None).values)


@pytest.mark.slow
def test_fid_and_kid_are_torch_fidelitys_on_the_same_pictures(inception_file: Path, tmp_path: Path) -> None:
    from torch_fidelity import calculate_metrics

    from gantrain.metrics import FID, KID, Evaluation

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, x: Tensor) -> None:
            self.x = x

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, index: int) -> Tensor:
            return self.x[index].expand(3, -1, -1)

    real = real_of(Digits(16), tmp_path, limit=150)
    y = real.open("train").draw(0, 150)["real"]
    x = (y[:120] + 0.3 * torch.randn(120, 1, 16, 16, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    evaluation = Evaluation(real, lambda n: [x])
    pixels = evaluation.pixels(120), (y * 127.5 + 127.5).round().byte()
    theirs = calculate_metrics(
        input1=Pictures(pixels[0]),
        input2=Pictures(pixels[1]),
        fid=True,
        kid=True,
        kid_subset_size=100,
        cuda=False,
        cache=False,
        verbose=False,
        feature_extractor_weights_path=str(inception_file),
    )
    assert theirs["frechet_inception_distance"] > 1e-2
    assert theirs["kernel_inception_distance_mean"] > 1e-4
    space = Inception(str(inception_file))
    space.prepare(real)
    assert FID(space, 120)(evaluation)["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    ours = KID(space, 120, subset_size=100)(evaluation)["kid"]
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)


def test_dinov2_is_built_from_its_weights(tmp_path: Path) -> None:
    """Of a small network: two blocks, positions of another size than 224 pixels give."""
    torch.manual_seed(0)
    made = VisionTransformer(128, 2, 14, 37 * 37 + 1)
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.05)
    file = tmp_path / "dino.pth"
    torch.save(made.state_dict(), file)
    space, real = DinoV2(str(file)), real_of(Digits(), tmp_path)
    space.prepare(real)
    found = space.features(pictures(2), real, None).values
    assert found.shape == (2, 128)
    assert not torch.allclose(found[0], found[1])
    with torch.no_grad():
        assert made(torch.rand(1, 3, 518, 518)).shape == (1, 128)


class TinyClip(nn.Module):
    """The layout of CLIP's picture encoder, with what else stands in its files."""

    def __init__(self) -> None:
        from torch_fidelity.feature_extractor_clip import VisionTransformer as Encoder

        super().__init__()
        self.visual = Encoder(input_resolution=64, patch_size=32, width=64, layers=2, heads=1, output_dim=16)
        self.text_projection = nn.Parameter(torch.randn(24, 16))
        self.logit_scale = nn.Parameter(torch.ones([]))

    def forward(self, x: Tensor) -> Tensor:
        return self.visual(x)


def test_clip_is_read_from_its_torchscript_archive(tmp_path: Path) -> None:
    """As data: the code in the archive is not run."""
    torch.manual_seed(0)
    made = TinyClip().eval()
    file = tmp_path / "clip.pt"
    torch.jit.trace(made, torch.zeros(1, 3, 64, 64)).save(str(file))
    space, real = Clip(str(file)), real_of(Digits(), tmp_path)
    space.prepare(real)
    found = space.features(pictures(2, side=64), real, None).values
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    with torch.no_grad():
        wanted = made((pictures(2, side=64) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    assert torch.allclose(found, wanted, atol=0.02), "its weights lie in half precision"
    state = read_torchscript(file)
    assert all(torch.equal(state[name], value) for name, value in made.state_dict().items())


class Evil:
    """Would write a file if it were unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.write_text, (self.file, "run")


def test_files_that_are_no_weights_are_refused(tmp_path: Path, inception_file: Path) -> None:
    """In a sentence that names the right file, and nothing in them is run."""
    harm, files = tmp_path / "harm", {}
    for name, content in {
        "evil.pth": {"fc.weight": Evil(harm)},
        "list.pth": [1, 2],
        "other.pth": {"weight": torch.zeros(3)},
        "words.pth": {"weight": "none"},
    }.items():
        files[name] = tmp_path / name
        torch.save(content, files[name])
    files["cut.pth"] = tmp_path / "cut.pth"
    files["cut.pth"].write_bytes(inception_file.read_bytes()[:100_000])
    files["raw.pth"] = tmp_path / "raw.pth"
    files["raw.pth"].write_bytes(pickle.dumps(Evil(harm)))
    for name, code in {
        "type.pth": b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.",
        "index.pth": b"\x80\x02.",
    }.items():
        files[name] = tmp_path / name  # calls with what is no argument, and takes from an empty stack
        torch.save({"weight": torch.zeros(3)}, files[name])
        spoil(files[name], code)
    files["empty.pth"] = tmp_path / "empty.pth"
    files["empty.pth"].write_bytes(b"")
    for file in (*files.values(), tmp_path / "missing.pth"):
        for space in (Inception(str(file)), DinoV2(str(file)), Clip(str(file))):
            with pytest.raises(UserError) as refusal:
                space.prepare(real_of(Digits(), tmp_path))
            said = str(refusal.value)
            assert space.published[space.network].name in said
            assert "\n" not in said
    assert not harm.exists()


def spoil(file: Path, code: bytes) -> None:
    """Puts other code where an archive has its pickle."""
    with zipfile.ZipFile(file) as whole:
        held = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(file, "w") as spoilt:
        for name, content in held.items():
            spoilt.writestr(name, code if name.endswith("/data.pkl") else content)


def test_a_torchscript_archive_of_senseless_code_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "bad.pt"
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(file))
    spoil(file, b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.")
    with pytest.raises(ValueError, match="positional argument"):
        read_torchscript(file)


def test_code_in_a_torchscript_archive_is_not_run(tmp_path: Path) -> None:
    harm, good, bad = tmp_path / "harm", tmp_path / "good.pt", tmp_path / "bad.pt"
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(good))
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w") as spoilt:
        for name in whole.namelist():
            spoilt.writestr(name, pickle.dumps(Evil(harm)) if name.endswith("/data.pkl") else whole.read(name))
    assert is_torchscript(bad)
    with pytest.raises(ValueError, match="no data"):
        read_torchscript(bad)
    assert not harm.exists()
    assert not is_torchscript(Path(__file__))


def fetched(published: Published, cache: Path, given: str | None = None) -> Any:
    return weights_of(published, given, "metrics.spaces.small.weights", cache, lambda text: None)


def test_a_file_is_looked_for_downloaded_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    torch.save({"weight": torch.arange(3)}, content)
    whole = content.getvalue()
    published = replace(SMALL, size=len(whole), sha256=hashlib.sha256(whole).hexdigest())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked: list[str] = []

    def answer(sent: bytes) -> None:
        def urlopen(url: str, timeout: float) -> io.BytesIO:
            asked.append(url)
            return io.BytesIO(sent)

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)

    for wrong in (whole[:-1] + b"x", whole[:50], whole + b"more"):
        answer(wrong)
        with pytest.raises(UserError, match="not the published file"):
            fetched(published, tmp_path)
        assert not list((tmp_path / weights.FOLDER).iterdir()), "nothing is left behind"
    answer(whole)
    assert torch.equal(fetched(published, tmp_path).tensors["weight"], torch.arange(3))
    assert asked[-1] == published.url
    asked.clear()
    assert fetched(published, tmp_path).sha256 == published.sha256
    hub = tmp_path / "torch" / "hub" / "checkpoints" / "under_another_name.pth"
    hub.parent.mkdir(parents=True)
    hub.write_bytes(whole)
    fetched(replace(published, others=(hub.name,)), tmp_path / "elsewhere")
    assert not asked
    (tmp_path / weights.FOLDER / published.name).write_bytes(whole[:-1])
    with pytest.raises(UserError, match="damaged or another file"):
        fetched(published, tmp_path)


def test_without_a_network_one_sentence_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(url: str, timeout: float) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    real = RealData(Digits(), DataContext(tmp_path, CPU, cache=tmp_path))
    for space in (Inception(), Clip(), DinoV2(), DinoV2(network="dinov2-vit-l-14")):
        with pytest.raises(UserError) as refusal:
            space.prepare(real)
        said, published = str(refusal.value), space.published[space.network]
        for fact in (published.name, f"{published.size:,}", published.sha256, published.url, str(tmp_path / "weights")):
            assert fact in said
        assert f"metrics.spaces.{space.name}.weights=" in said


def test_what_they_have_no_place_for_is_refused() -> None:
    for space in (Inception(), Clip(), DinoV2()):
        space.check(Digits())
        for source in (Gaussian1d(), ImageFolder("nowhere", channels=4)):
            with pytest.raises(ValueError, match="grey or colour pictures"):
                space.check(source)
    with pytest.raises(ValueError, match="network is one of"):
        DinoV2(network="dinov3")
