"""The commands about speed: `autotag bench` and `autotag choose`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotag.cli import options
from autotag.cli.chosen import WANTED, chosen_run, with_options
from autotag.cli.run import Run
from autotag.models.registry import select

if TYPE_CHECKING:
    from autotag.speed.measure import Cost, Spread, Start


def _counts(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"{text!r} is not allowed. Use numbers from 1, such as 1 or 1,2.")
    return list(map(int, parts))


@with_options(run=chosen_run)
def bench(
    run: Run,
    songs: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=options.local_path,
            metavar="[FILE...]",
            readable=False,
            help="Audio files. Without any, a made MP3 of 29.1 s is timed.",
        ),
    ] = None,
    models: options.Models = None,
    threads: Annotated[
        Any, typer.Option(parser=_counts, metavar="N,...", help="Use so many threads for an inference.")
    ] = "1",
    batch: Annotated[
        Any,
        typer.Option(
            parser=_counts,
            metavar="N,...",
            help="Put so many segments into an inference.",
            show_default="those of 30 s",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="Run the networks on cpu, cuda, coreml, directml or openvino.")
    ] = "cpu",
    excerpt: options.Seconds = None,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Time each model N times.")] = 15,
    json_: options.Json = False,
    plot: Annotated[
        Any,
        typer.Option(
            parser=options.output(".svg", ".png"), metavar="FILE", help="Draw the times in FILE (.svg, .png)."
        ),
    ] = None,
) -> None:
    """Time decoding, mel-spectrogram and network of every model, and a cold start of each."""
    if plot:
        from autotag.speed.plot import draw  # fails before the work does
    import tempfile

    from autotag.speed.measure import baseline, clip, cold, load_models, measure

    files = select(models)
    with tempfile.TemporaryDirectory() as folder, run.about_a_file():
        heard = songs or [clip(Path(folder))]
        with run.tracking(f"rounds of {len(files)} models") as progress:
            progress(0, rounds, None)
            loaded = load_models(files, threads, batch or [None], device)
            costs = measure(heard, loaded, rounds, excerpt, progress)
        with run.tracking("rounds of cold starts") as progress:
            starts = cold(heard[0], [file.name for file in files], min(3, rounds), progress)
    costs.sort(key=lambda cost: (-cost.file.metadata.gmac, cost.name, cost.threads))
    base = baseline(costs)
    if json_:
        typer.echo(json.dumps(_as_dict(costs, base, starts, rounds, device), indent=1))
    else:
        _show(costs, base, starts, rounds)
    if plot:
        draw(costs, plot)
    run.end(f"{len(costs)} models timed" + (f" -> {plot}" if plot else ""))


def _as_dict(
    costs: "list[Cost]", base: "Cost", starts: "dict[str, list[Start]]", rounds: int, device: str
) -> dict[str, Any]:
    from autotag.speed.measure import IMPORTS, overhead, ratio, spread
    from autotag.system.machine import machine_facts

    def cold(name: str) -> dict[str, Any]:
        memory = [start.memory for start in starts[name] if start.memory]
        seconds = spread([start.seconds for start in starts[name]])
        return {"seconds": seconds._asdict(), "peak_bytes": max(memory, default=None)}

    rows = [
        {
            "model": cost.name,
            "threads": cost.threads,
            "batch": cost.batch,
            "ms": {step: spread(cost.ms(step))._asdict() for step in ("decode", "mel", "model")}
            | {"total": spread(cost.ms())._asdict()},
            "load_ms": cost.load,
            "relative_to_baseline": ratio(cost, base, "mel", "model")._asdict(),
            "relative_to_decoding": spread(overhead(cost))._asdict(),
            "gmac": cost.gmac,
            "gmac_per_second": 1000 * cost.gmac / spread(cost.ms("model")).median,
            "spectrogram_bytes": cost.spectrogram,
            "bytes": cost.file.bytes,
            "roc_auc": cost.file.metadata.roc_auc,
            "cold": cold(cost.name),
        }
        for cost in costs
    ]
    return {
        "machine": machine_facts(),
        "device": device,
        "seconds_of_audio": costs[0].seconds,
        "rounds": rounds,
        "baseline": base.name,
        "imports": {"command": f"python -c '{IMPORTS}'", **cold(IMPORTS)},
        "models": rows,
    }


def _show(costs: "list[Cost]", base: "Cost", starts: "dict[str, list[Start]]", rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from autotag.outputs.stream import WIDE
    from autotag.speed.measure import IMPORTS, overhead, ratio, spread
    from autotag.system.machine import machine_facts

    def cold(name: str) -> tuple[str, str]:
        memory = max((start.memory or 0 for start in starts[name]), default=0)
        seconds = spread([start.seconds for start in starts[name]]).median
        return f"{seconds:.2f}", f"{memory / 1e6:.0f}" if memory else ""

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nmodel", no_wrap=True)
    for heading in (
        *("\nthreads", "\nbatch", "decode\nms", "mel\nms", "model\nms", "total\nms"),
        *(f"mel + model, 1 is\n{base.name}", "total, 1 is\ndecoding", "\nGMAC/s", "load\nms"),
        *("start to\ntags, s", "memory\nMB", "\nROC AUC"),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        auc = cost.file.metadata.roc_auc
        model, total = spread(cost.ms("model")), spread(cost.ms())
        table.add_row(
            *(cost.name, str(cost.threads), str(cost.batch or "30 s")),
            *(f"{spread(cost.ms(step)).median:.1f}" for step in ("decode", "mel")),
            *(_around(model, 1), _around(total, 0), _around(ratio(cost, base, "mel", "model"), 3)),
            f"{spread(overhead(cost)).median:.2f}",
            *(f"{1000 * cost.gmac / model.median:.0f}", f"{cost.load:.0f}", *cold(cost.name)),
            "" if auc is None else f"{auc:.4f}",
        )
    console = Console(width=WIDE, soft_wrap=True, highlight=False)
    console.print(table)
    seconds, memory = cold(IMPORTS)
    spreads = f" of {rounds} rounds, ± half the distance of the quartiles" if rounds > 1 else " of one round"
    console.print(
        f"For {costs[0].seconds:.1f} s of audio: medians{spreads}. 1 is {base.name}: as many times as long, "
        f"round by round. Start to tags: a new process, of which imports take {seconds} s and {memory} MB."
    )
    console.print(", ".join(f"{name} {value}" for name, value in machine_facts().items()))


def _around(found: "Spread", digits: int) -> str:
    """The median, and half the distance of the quartiles where there is more than one value."""
    around = f" ±{(found.high - found.low) / 2:.{digits}f}" if found.low < found.high else ""
    return f"{found.median:.{digits}f}{around}"


@with_options(run=chosen_run)
def choose(
    run: Run,
    max_ms: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Allow N milliseconds for mel and network of 29.1 s of music, with all cores.",
        ),
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option(min=0, metavar="N", help="Allow N megabytes for the model's file.")
    ] = None,
    min_auc: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="N", help="Ask for a ROC AUC of at least N.")
    ] = None,
    vocabulary: options.Vocabulary = WANTED.vocabulary,
    models: options.Models = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure the speed of the models on this machine again.")
    ] = False,
) -> None:
    """Print the name of the best model within a budget on this machine, and the reason on stderr."""
    from autotag.speed.choose import within

    files = select(models, vocabulary)
    with run.tracking(f"rounds to time {len(files)} models") as progress:
        choice = within(files, max_ms, max_mb, min_auc, again=again, progress=progress)
    sys.stdout.write(f"{choice.model.name}\n")
    run.end(choice.reason)
