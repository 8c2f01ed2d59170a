"""What every model says of a song and what that costs, as tables of a page that are folded away."""

from collections.abc import Iterator, Sequence

from autotag.speed.compare import ELSEWHERE, TOP, Row
from autotag.speed.sensible import LOSS, MARGIN
from autotag.views.page import table, text

TAGS = ("model", "tags", "bands", "hop", "segments")
COSTS = ("model", "mel ms", "network ms", "both", "", "agrees", "GMAC", "ROC AUC", "")
"""The columns of the tables."""


def comparison(rows: Sequence[Row]) -> str:
    """The rows of `autotag.speed.compare.compare` as HTML."""
    first = rows[0]
    return f"""<details>
<summary>{f"Compare {len(rows)} models" if len(rows) > 1 else "What it costs"}</summary>
<h3>What each model says</h3>
{table("tags", TAGS, map(_tags, rows))}
<h3>What each model costs</h3>
{table("costs", COSTS, _costs(rows))}
<p class="facts">Measured here, once, beside {first.cost.ms("decode")[0]:.0f} ms for decoding.
agrees: the share of the {TOP} best tags that {text(first.cost.name)} has among its {TOP} best too. ROC AUC:
agreement with the label source, on other songs. sensible: the fastest within {MARGIN} of the best ROC AUC, if
that excludes a loss of over {LOSS}.{"" if all(row.compared for row in rows) else f" {ELSEWHERE}"}
</p>
</details>"""


def _tags(row: Row) -> tuple[str, ...]:
    config = row.cost.file.metadata.config
    tags = ", ".join(f"{text(tag)} {score:.2f}" for tag, score in row.result.tags) or "no tag"
    return text(row.cost.name), tags, str(config.mels), f"x{config.hop}", str(row.result.segments)


def _costs(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    most = max(row.cost.ms("mel", "model")[0] for row in rows)
    for row in rows:
        mel, network, both = (row.cost.ms(*steps)[0] for steps in (("mel",), ("model",), ("mel", "model")))
        auc, mark = row.cost.file.metadata.roc_auc, "" if row.compared else "†"
        yield (
            *(text(row.cost.name), f"{mel:.1f}", f"{network:.1f}", f"{both:.1f}"),
            f'<i class="bar" style="width: {8 * both / most:.2f}em"></i>',
            *(f"{row.agreement:.0%}", f"{row.cost.gmac:.2f}", "" if auc is None else f"{auc:.4f}{mark}"),
            ", ".join(row.marks),
        )
