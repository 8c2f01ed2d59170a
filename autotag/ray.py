"""Tag with Ray Data, on the cores of one machine or of a cluster, from disks or object stores.

Ray reads the files, hands them to workers, starts another worker where one dies, and writes the rows:

    import ray
    from autotag.ray import RayTagger

    songs = ray.data.read_binary_files("s3://bucket/music", include_paths=True)
    rows = songs.map_batches(RayTagger, batch_size=8, concurrency=16)
    rows.write_parquet("s3://bucket/tags")
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autotag.batch import Asked, start
from autotag.config import DEFAULT
from autotag.outputs.parquet import as_table
from autotag.result import Failure, Result
from autotag.system.streams import quiet_decoders


class RayTagger:
    """For `ray.data.Dataset.map_batches`: loads the model once a worker, tags batch after batch.

    Args:
        model: name of a model at hand, or an ONNX file that every worker can read.
        asked: the other fields of `autotag.batch.Asked`, with `fn_constructor_kwargs={"top": 10}`.

    Raises:
        ModelNotFound, ModelError
    """

    def __init__(self, model: str = DEFAULT.name, **asked: Any) -> None:
        quiet_decoders()
        self._tag_file = start(Asked(model, **asked), threads=1)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> Any:
        """Tag some files.

        Args:
            batch: `"path"` and `"bytes"` of each, as `ray.data.read_binary_files` with `include_paths`
                reads them, or `"path"` alone of files that every worker can open.

        Returns:
            a row a file, good or bad, as `autotag --out tags.parquet` writes them: a `pyarrow.Table`.
        """
        contents = batch.get("bytes", [None] * len(batch["path"]))
        return as_table(
            self._tag(str(path), content) for path, content in zip(batch["path"], contents, strict=True)
        )

    def _tag(self, path: str, content: bytes | None) -> Result | Failure:
        if content is None:
            return self._tag_file(Path(path))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "song")
            copy.write_bytes(content)
            outcome = self._tag_file(copy)
        if isinstance(outcome, Failure):
            outcome = replace(outcome, message=outcome.message.replace(str(copy), path))
        return replace(outcome, path=path, size=len(content), modified=None)
