"""An ONNX file and its metadata, ready to score segments."""

import hashlib
from pathlib import Path

import onnxruntime

from autotag.audio.mel import Array
from autotag.errors import DeviceNotFound, ModelError
from autotag.models.metadata import KEY, Metadata
from autotag.system.cores import usable_cores

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""What runs a network, as onnxruntime calls it; packages of onnxruntime differ in those they have."""


class Model:
    """A trained network on onnxruntime.

    Args:
        path: an ONNX file with autotag's metadata.
        threads: of one inference; by default all cores this process may use.
        sha256: what the file must hash to, when a manifest says so.
        device: one of `PROVIDERS`.

    Raises:
        ModelError: it is not such a file, or its shapes disagree with its metadata.
        DeviceNotFound: this onnxruntime cannot use such a device.

    Attributes:
        metadata: what the model says of itself.
    """

    def __init__(
        self, path: Path, threads: int | None = None, sha256: str | None = None, device: str = "cpu"
    ) -> None:
        provider = _provider(device)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
            raise ModelError(
                f"{path}: sha256 is {found[:12]}…, but the manifest beside it says {sha256[:12]}…: "
                "the file is damaged or was replaced: install or export it again"
            )
        # No gain at x2 and x10 with one thread or two: no spinning, no arena, no memory pattern. A graph that
        # was optimised beforehand loads in 7 instead of 8 ms, but runs in 18.5 instead of 13.9.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=[provider])
        except Exception as error:  # onnxruntime's errors share no base class but this
            raise ModelError(f"{path}: not an ONNX model that onnxruntime can load: {error}") from error
        if provider not in self._session.get_providers():  # onnxruntime takes the CPU without a word
            raise DeviceNotFound(f"device {device!r} could not be used: check its driver, or use 'cpu'")
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ModelError(f"{path}: an ONNX file without {KEY!r} metadata: not a model of autotag")
        self.metadata = Metadata.from_json(text, str(path))
        self._check_shapes(path)

    def _check_shapes(self, path: Path) -> None:
        metadata = self.metadata
        inputs = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
        outputs = {o.name: list(o.shape[1:]) for o in self._session.get_outputs()}
        if metadata.frames != metadata.config.frames:
            raise ModelError(
                f"{path}: metadata says {metadata.frames} frames, where {metadata.config.name} "
                f"has {metadata.config.frames}"
            )
        if inputs != {"mel": (wanted := [1, metadata.config.mels, metadata.frames])}:
            raise ModelError(f"{path}: inputs are {inputs}, where its metadata asks for 'mel' {wanted}")
        if outputs.get("scores") != (wanted := [len(metadata.tags)]):
            raise ModelError(f"{path}: outputs are {outputs}, where its metadata asks for 'scores' {wanted}")
        if "embedding" not in outputs:
            raise ModelError(f"{path}: outputs are {outputs}: there is no 'embedding'")

    def __call__(self, segments: Array) -> tuple[Array, Array]:
        """Score log-mel segments [n, mels, frames]: scores [n, tags] in 0..1, embeddings [n, d]."""
        scores, embedding = self._session.run(["scores", "embedding"], {"mel": segments[:, None]})
        return scores, embedding


def _provider(device: str) -> str:
    here = [name for name, provider in PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
    if device not in here:
        remedy = f"use {', '.join(here)}, or install the package of onnxruntime for it"
        raise DeviceNotFound(f"device {device!r} is not one that this onnxruntime can use: {remedy}")
    return PROVIDERS[device]
