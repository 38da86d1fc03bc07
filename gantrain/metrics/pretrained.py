"""Spaces of networks that others trained: Inception, CLIP and DINOv2, as torch-fidelity prepares pictures for them."""

from __future__ import annotations

import io
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from gantrain.data import Source
from gantrain.errors import UserError
from gantrain.kinds import Kind
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.features import Features, FeatureSpace
from gantrain.metrics.vision_transformer import VisionTransformer
from gantrain.metrics.weights import Published, weights_of

AT_ONCE = 50
"""Pictures in a forward: more take gigabytes and gain nothing."""
CLIP_URL = "https://openaipublic.azureedge.net/clip/models"
CLIP_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
DINO_URL = "https://dl.fbaipublicfiles.com/dinov2"


class Pretrained(FeatureSpace):
    """A published network; grey pictures are shown to it as three equal channels.

    Its file is that given, or the published one: from the cache (`GANTRAIN_CACHE`, else ~/.cache/gantrain, there below
    weights), from torch.hub's, or downloaded and compared with its checksum. Nothing in a file is run.

    Args:
        weights: a file of the published layout.
        network: which of those that are published.

    Raises:
        ValueError: `network` is none of them.
    """

    costly = True
    published: ClassVar[Mapping[str, Published]]
    sizes: ClassVar[Mapping[str, int]]

    def __init__(self, weights: str | None, network: str) -> None:
        if network not in self.published:
            raise ValueError(f"network is one of {', '.join(self.published)}, got {network}")
        self.given, self.network, self.size = weights, network, self.sizes[network]
        self.sha256: str | None = None

    def identity(self) -> str:
        return f"{self.network} {(self.sha256 or self.published[self.network].sha256)[:8]}"

    def versions(self) -> dict[str, str]:
        from torch_fidelity import __version__

        return {"torch-fidelity": str(__version__)}

    def check(self, source: Source) -> None:
        if Kind.of(source.shape) is not Kind.PICTURES or source.shape[0] not in (1, 3):
            shape = "x".join(str(length) for length in source.shape)
            raise ValueError(
                f"the space {self.name} is of grey or colour pictures, but samples are {shape}: measure in "
                f"{'spectrogram' if Kind.of(source.shape) is Kind.SOUND else 'pixels'}"
            )

    def prepare(self, real: RealData) -> None:
        self.sha256 = self._loaded(real)[1]

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        network, _ = self._loaded(real)
        found = [self._forward(network, part, real.context.device) for part in x.split(AT_ONCE)]
        logits = [part.logits for part in found if part.logits is not None]
        return Features(torch.cat([part.values for part in found]), torch.cat(logits) if logits else None)

    @staticmethod
    def build(network: str, tensors: Mapping[str, Tensor]) -> nn.Module:
        """Pixels uint8 (n, 3, H, W) to a tuple: features, and logits where it has them.

        Raises:
            KeyError, ValueError, RuntimeError: the weights are no such network's.
        """
        raise NotImplementedError

    @torch.no_grad()
    def _forward(self, network: nn.Module, x: Tensor, device: torch.device) -> Features:
        values, *logits = network(x.to(device).expand(-1, 3, -1, -1))
        return Features(values.float().cpu(), logits[0].float().cpu() if logits else None)

    def _loaded(self, real: RealData) -> tuple[nn.Module, str]:
        return real.once(_load, cast(Hashable, type(self)), self.network, self.given)


def _load(real: RealData, kind: type[Pretrained], network: str, given: str | None) -> tuple[nn.Module, str]:
    """The network on the device of the data, and the sha256 of its file."""
    context = real.context
    published, setting = kind.published[network], f"metrics.spaces.{kind.name}.weights"
    try:
        import torch_fidelity  # noqa: F401  (before hundreds of megabytes are fetched)
    except ImportError as error:
        raise UserError(f"the space {kind.name} needs torch-fidelity: pip install 'torch-fidelity>=0.4'") from error
    weights = weights_of(published, given, setting, context.cache, context.say)
    try:
        model = kind.build(network, weights.tensors)
    except (KeyError, ValueError, RuntimeError, TypeError, IndexError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{given or published.name} holds weights of another network than {network} ({reason}): give {published}, "
            f"from {published.url}"
        ) from error
    return model.to(context.device).eval().requires_grad_(False), weights.sha256


class Inception(Pretrained):
    """The Inception of 2015 with 2,048 features, that of all published FIDs, and 1,008 logits (Heusel et al. 2017)."""

    name = "inception"
    resize = "299x299 bilinear as TensorFlow 1, scaled to [-1, 1)"
    has_logits = True
    sizes: ClassVar = {"inception": 2048}
    published: ClassVar = {
        "inception": Published(
            "weights-inception-2015-12-05-6726825d.pth",
            "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
            95_628_359,
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        )
    }

    def __init__(self, weights: str | None = None) -> None:
        super().__init__(weights, "inception")

    @staticmethod
    def build(network: str, tensors: Mapping[str, Tensor]) -> nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        copy = io.BytesIO()  # it reads files without care, and so is given one that holds tensors alone
        torch.save(dict(tensors), copy)
        copy.seek(0)
        return FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], copy)


class Clip(Pretrained):
    """The picture encoder of CLIP's ViT-B/32 (Radford et al. 2021, arXiv 2103.00020)."""

    name = "clip"
    resize = "224x224 bilinear as TensorFlow 1, standardised"
    sizes: ClassVar = {"clip-vit-b-32": 512}
    published: ClassVar = {
        "clip-vit-b-32": Published(
            "ViT-B-32.pt",
            f"{CLIP_URL}/{CLIP_SHA256}/ViT-B-32.pt",
            353_976_522,
            CLIP_SHA256,
            (f"clip-vit-b-32-{CLIP_SHA256}.pt",),
        )
    }

    def __init__(self, weights: str | None = None) -> None:
        super().__init__(weights, "clip-vit-b-32")

    @staticmethod
    def build(network: str, tensors: Mapping[str, Tensor]) -> nn.Module:
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP, build_model

        class Loaded(FeatureExtractorCLIP):
            """With a network that is there already."""

            def __init__(self, name: str, model: Any) -> None:
                FeatureExtractorBase.__init__(self, name, ["clip"])
                self.feature_extractor_internal_dtype = torch.float32
                self.model, self.resolution = model, model.visual.input_resolution

        return Loaded(network, build_model(dict(tensors), torch.float32))


def _dino(name: str, size: int, sha256: str) -> Published:
    return Published(f"{name}_pretrain.pth", f"{DINO_URL}/{name}/{name}_pretrain.pth", size, sha256)


class DinoV2(Pretrained):
    """The class token of DINOv2 (Oquab et al. 2024), nearest to what people see (Stein et al. 2023, arXiv 2306.04675).

    Args:
        network: dinov2-vit-s-14, dinov2-vit-b-14, or dinov2-vit-l-14, which most papers mean by FD-DINOv2.
    """

    name = "dinov2"
    resize = "224x224 bilinear as TensorFlow 1, standardised"
    sizes: ClassVar = {"dinov2-vit-s-14": 384, "dinov2-vit-b-14": 768, "dinov2-vit-l-14": 1024}
    published: ClassVar = {
        "dinov2-vit-s-14": _dino(
            "dinov2_vits14", 88_283_115, "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"
        ),
        "dinov2-vit-b-14": _dino(
            "dinov2_vitb14", 346_378_731, "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"
        ),
        "dinov2-vit-l-14": _dino(
            "dinov2_vitl14", 1_217_586_395, "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"
        ),
    }

    def __init__(self, weights: str | None = None, network: str = "dinov2-vit-b-14") -> None:
        super().__init__(weights, network)

    @staticmethod
    def build(network: str, tensors: Mapping[str, Tensor]) -> nn.Module:
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

        class Loaded(FeatureExtractorDinoV2):
            """With a network that is there already."""

            def __init__(self, name: str, model: nn.Module) -> None:
                FeatureExtractorBase.__init__(self, name, ["dinov2"])
                self.feature_extractor_internal_dtype = torch.float32
                self.model = model

        return Loaded(network, VisionTransformer.from_weights(tensors))
