"""Songs through every model: what each says, what that costs, and which one to take."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from autotag.meaning import Output
from autotag.models.registry import ModelFile, auc, comparable
from autotag.request import Selection, TagRequest
from autotag.result import Failure, Result
from autotag.speed.measure import Cost, load_models, score_song
from autotag.speed.sensible import LOSS, MARGIN, as_good
from autotag.system.cores import usable_cores
from autotag.tagger import failure

ELSEWHERE = "†: measured on other data, so that its ROC AUC does not compare with the others."

TOP = 5
"""Tags that agreement is about, as in the models' metrics."""

WARM_UP = 60.0
"""Seconds of the first song that are tagged once before anything is timed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model beside others.

    Attributes:
        result: what it says of the song.
        cost: what that took.
        agreement: which share of its five best tags are those of the model that computes most, of those that
            score the same tags.
        marks: `"fastest"`, `"best"` for the highest ROC AUC, and `"sensible"` for the fastest of those that
            are as good (`autotag.speed.sensible`).
        compared: whether its ROC AUC is of the same data as that of the others.
    """

    result: Result
    cost: Cost
    agreement: float
    marks: tuple[str, ...]
    compared: bool


def compare(
    songs: Iterable[Path], models: Iterable[ModelFile], request: TagRequest
) -> Iterator[list[Row] | Failure]:
    """Tag songs with every model; the models are loaded once, a song is decoded once a sample rate.

    Yields:
        for each song its rows, those of the models that compute most first; or why it cannot be tagged.

    Raises:
        ModelError: a model cannot be loaded.
        VocabularyNotFound: a model has no output of the request's vocabulary.
    """
    loaded = load_models(models, [usable_cores()])
    same_data = {file.sha256 for file in comparable([model.file for model in loaded])}
    cold = True
    for song in songs:
        try:
            if cold:
                score_song(song, loaded, request.excerpt or WARM_UP)
                cold = False
            heard = score_song(song, loaded, request.excerpt)
        except Exception as error:  # whatever it is, the next song can be tagged
            yield failure(error, str(song))
            continue
        costs = [model.cost() for model in loaded]
        for cost, scores in zip(costs, heard, strict=True):
            cost.scores, cost.rounds = [scores], [scores.ms]
        yield _rows(song, costs, request, same_data)


def _rows(song: Path, costs: list[Cost], request: TagRequest, same_data: Collection[str]) -> list[Row]:
    costs = sorted(costs, key=lambda cost: -cost.gmac)
    marks = _marks(costs, same_data)
    largest: dict[tuple[Output, ...], set[str]] = {}
    rows = []
    for cost in costs:
        best = _best_tags(cost, request.vocabulary)
        agreement = len(best & largest.setdefault(cost.file.metadata.outputs, best)) / len(best)
        marked = tuple(mark for mark, other in marks.items() if other is cost)
        result = cost.scores[0].result(request, str(song))
        rows.append(Row(result, cost, agreement, marked, cost.file.sha256 in same_data))
    return rows


def _best_tags(cost: Cost, vocabulary: str) -> set[str]:
    selection = Selection(vocabulary=vocabulary, top=TOP, merge=False)
    return {tag for tag, _ in selection.choose(cost.file.metadata.outputs, cost.scores[0].mean())}


def _marks(costs: Sequence[Cost], same_data: Collection[str]) -> dict[str, Cost]:
    fastest = min(costs, key=lambda cost: cost.ms("mel", "model"))
    ranked = [cost for cost in costs if cost.file.sha256 in same_data]
    best = max(ranked, key=lambda cost: auc(cost.file))
    good = {file.sha256 for file in as_good([cost.file for cost in ranked])}
    sensible = min(
        (cost for cost in ranked if cost.file.sha256 in good), key=lambda cost: cost.ms("mel", "model")
    )
    return {"fastest": fastest, "best": best, "sensible": sensible}


def write_comparison(rows: Sequence[Row], stream: TextIO) -> None:
    """For people: a table of what each model says, and one of what that costs; a terminal is not exceeded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from autotag.outputs.stream import WIDE
    from autotag.system.text import printable

    said, costs = (Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold") for _ in "12")
    said.add_column("model", no_wrap=True)
    said.add_column("agrees", justify="right", no_wrap=True)
    said.add_column("tags")
    costs.add_column("\nmodel", no_wrap=True)
    for heading in (
        "mel\nms",
        "model\nms",
        "total\nms",
        "x real\ntime",
        "\nGMAC",
        "\nMB",
        "\nkB",
        "ROC\nAUC",
    ):
        costs.add_column(heading, justify="right", no_wrap=True)
    costs.add_column(min_width=len("sensible"))
    for row in rows:
        cost, measured = row.cost, row.cost.file.metadata.roc_auc
        (total,) = cost.ms()
        worth = "" if measured is None else f"{measured:.4f}{' ' if row.compared else '†'}"
        tags = ", ".join(f"{tag} {score:.2f}" for tag, score in row.result.tags) or "no tag"
        said.add_row(cost.name, f"{row.agreement:.0%}", Text(tags))
        costs.add_row(
            *(cost.name, f"{cost.ms('mel')[0]:.1f}", f"{cost.ms('model')[0]:.1f}", f"{total:.0f}"),
            *(f"{1000 * cost.seconds / total:.0f}", f"{cost.gmac:.2f}", f"{cost.file.bytes / 1e6:.1f}"),
            *(f"{cost.spectrogram / 1e3:.0f}", worth, ", ".join(row.marks)),
        )
    fits = stream.isatty()
    console = Console(file=stream, width=None if fits else WIDE, soft_wrap=not fits, highlight=False)
    first = rows[0]
    seconds = f"  {first.cost.seconds:.1f} s"
    console.print(Text(printable(first.result.path or ""), "bold").append(seconds, "not bold dim"))
    console.print(said, "", costs, sep="\n")
    console.print(
        f"agrees: the share of its {TOP} best tags that {first.cost.name} has among its {TOP} best too. "
        f"total: with {first.cost.ms('decode')[0]:.0f} ms for decoding. kB: of a segment's spectrogram. "
        f"sensible: the fastest within {MARGIN} ROC AUC of the best, if that excludes a loss of over {LOSS}."
        + ("" if all(row.compared for row in rows) else f" {ELSEWHERE}")
    )
