"""Tag with Ray Data, on the cores of one machine or of a cluster, from disks or object stores.

Ray reads the files, hands them to workers, starts another worker where one dies, and writes the rows:

    import ray
    from autotag.ray import RayTagger

    songs = ray.data.read_binary_files("s3://bucket/music", include_paths=True)
    rows = songs.map_batches(RayTagger, batch_size=8, concurrency=16)
    rows.write_parquet("s3://bucket/tags")
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autotag.batch import tag_file
from autotag.config import DEFAULT
from autotag.models.registry import ModelChoice
from autotag.outputs.parquet import as_table
from autotag.request import TagRequest
from autotag.result import Outcome
from autotag.tagger import Tagger


class RayTagger:
    """For `ray.data.Dataset.map_batches`: loads the model once a worker, tags batch after batch.

    Args:
        model: a configuration, the name of an installed model, or an ONNX file that every worker can read.
        request: which tags, and what else; with `fn_constructor_kwargs={"request": TagRequest(top=10)}`.

    Raises:
        ModelNotFound, ModelError, VocabularyNotFound
        ExtraMissing: pyarrow is not installed.
    """

    def __init__(self, model: ModelChoice = DEFAULT, request: TagRequest = TagRequest()) -> None:
        self._tagger = Tagger(model, threads=1)
        self._request = request
        request.check(self._tagger.metadata.outputs)

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

    def _tag(self, path: str, content: bytes | None) -> Outcome:
        if content is None:
            return tag_file(self._tagger, self._request, path)
        outcome = self._tagger.attempt(bytes(content), self._request, name=path)
        return replace(outcome, size=len(content), modified=None)
