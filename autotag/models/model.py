"""An ONNX file and its metadata, ready to score segments."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

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

LARGEST = 1 << 31
"""Bytes of a file that may be a model: protobuf, which ONNX is made of, knows no more."""

if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
    onnxruntime.disable_telemetry_events()  # also where it was imported first, and on Windows

Array = NDArray[np.float32]


class Model:
    """A trained network on onnxruntime.

    Args:
        path: an ONNX file with autotag's metadata, all its weights in it.
        threads: of one inference; by default all cores this process may use.
        sha256: what the file must hash to, when a manifest says so.
        device: one of `PROVIDERS`.

    Raises:
        ModelError: it is not such a file, or its shapes disagree with its metadata.
        DeviceNotFound: this onnxruntime cannot use such a device.

    Attributes:
        metadata: what the model says of itself.
        path, bytes, sha256: of the file.
    """

    def __init__(
        self, path: Path, threads: int | None = None, sha256: str | None = None, device: str = "cpu"
    ) -> None:
        provider = _provider(device)
        data = _content(path)
        self.path, self.bytes = path, len(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 is not None and self.sha256 != sha256:
            raise ModelError(
                f"{path}: sha256 is {self.sha256[:12]}…, but the manifest beside it says {sha256[:12]}…. "
                "The file is damaged or was replaced: install or export it again."
            )
        # No gain at x2 and x10 with one thread or two: no spinning, no arena, no memory pattern. A graph that
        # was optimised beforehand loads in 7 instead of 8 ms, but runs in 18.5 instead of 13.9.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 4
        # Weights in other files, which no sha256 covers, are looked for in a folder that is not there.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=[provider])
        except Exception as error:  # onnxruntime's errors share no base class but this
            raise ModelError(
                f"{path}: not an ONNX model that onnxruntime can load, with all its weights in it ({error})."
            ) from error
        if provider not in self._session.get_providers():  # onnxruntime takes the CPU without a word
            raise DeviceNotFound(f"device {device!r} could not be used. Check its driver, or use 'cpu'.")
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise ModelError(f"{path}: an ONNX file without {KEY!r} metadata: not a model of autotag.")
        self.metadata = Metadata.from_json(text, str(path))
        self._check_shapes(path)

    def _check_shapes(self, path: Path) -> None:
        metadata = self.metadata
        inputs = {i.name: list(i.shape[1:]) for i in self._session.get_inputs()}
        outputs = {o.name: list(o.shape[1:]) for o in self._session.get_outputs()}
        if metadata.frames != metadata.config.frames:
            raise ModelError(
                f"{path}: metadata says {metadata.frames} frames, where {metadata.config.name} "
                f"has {metadata.config.frames}."
            )
        if inputs != {"mel": (wanted := [1, metadata.config.mels, metadata.frames])}:
            raise ModelError(f"{path}: inputs are {inputs}, where its metadata asks for 'mel' {wanted}.")
        if outputs.get("scores") != (wanted := [len(metadata.outputs)]):
            raise ModelError(f"{path}: outputs are {outputs}, where its metadata asks for 'scores' {wanted}.")
        if "embedding" not in outputs:
            raise ModelError(f"{path}: outputs are {outputs}: there is no 'embedding'.")

    def __call__(self, segments: Array) -> tuple[Array, Array]:
        """Score log-mel segments [n, mels, frames]: scores [n, outputs] in 0..1, embeddings [n, d].

        Raises:
            ModelError: a score lies outside 0..1.
        """
        scores, embedding = self._session.run(["scores", "embedding"], {"mel": segments[:, None]})
        if not (scores.min() >= 0 and scores.max() <= 1):  # which NaN fails too
            wrong = scores[~((scores >= 0) & (scores <= 1))]
            raise ModelError(
                f"{self.path}: a score is {wrong.flat[0]:g}, where scores are from 0 to 1. "
                "The model is damaged: install or export it again."
            )
        return scores, embedding


_NOWHERE = str(Path("/nonexistent/autotag"))


def _content(path: Path) -> bytes:
    """The bytes of a regular file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: a folder, pipe or device. Name an ONNX file.")
        if status.st_size > LARGEST:
            raise ModelError(f"{path}: {status.st_size} bytes, over the {LARGEST} of any ONNX file.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}.") from error


def _provider(device: str) -> str:
    here = [name for name, provider in PROVIDERS.items() if provider in onnxruntime.get_available_providers()]
    if device not in here:
        raise DeviceNotFound(
            f"device {device!r} is not one that this onnxruntime can use. "
            f"Use {', '.join(here)}, or install the package of onnxruntime for it."
        )
    return PROVIDERS[device]
