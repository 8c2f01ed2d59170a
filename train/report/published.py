"""What the study published, for reports to stand beside: test scores in percent, and its data.

Ferraro et al., arXiv 1911.04824, with the authors' complete tables. VGG-CNN on MagnaTagATune is the mean of
three runs, everything else one run. Published are the resolutions below and no others.
"""

from typing import NamedTuple

# fmt: off


class Published(NamedTuple):
    """Test scores of one configuration, in percent; standard deviations where three runs were made."""

    roc_auc: float
    pr_auc: float
    roc_auc_sd: float | None = None
    pr_auc_sd: float | None = None


SCORES: dict[str, dict[str, Published]] = {
    "mtat": {
        "vgg-12k-128-x1-db": Published(88.76, 35.83, 0.19, 0.55),
        "vgg-12k-128-x2-db": Published(88.53, 35.44, 0.26, 0.13),
        "vgg-12k-96-x1-db": Published(88.65, 35.33, 0.23, 0.25),
        "vgg-12k-96-x2-db": Published(88.58, 35.13, 0.19, 0.46),
        "vgg-12k-48-x1-db": Published(89.02, 35.87, 0.03, 0.44),
        "vgg-12k-48-x2-db": Published(88.68, 35.71, 0.12, 0.21),
        "vgg-12k-128-x1-log": Published(88.67, 35.47, 0.18, 0.50),
        "vgg-12k-128-x2-log": Published(88.66, 35.56, 0.17, 0.27),
        "vgg-12k-96-x1-log": Published(88.83, 35.18, 0.17, 0.25),
        "vgg-12k-96-x2-log": Published(88.37, 35.23, 0.07, 0.20),
        "vgg-12k-48-x1-log": Published(89.10, 35.62, 0.05, 0.26),
        "vgg-12k-48-x2-log": Published(88.64, 35.35, 0.01, 0.28),
        "vgg-16k-128-x1-db": Published(89.07, 35.73, 0.09, 0.21),
        "vgg-16k-128-x2-db": Published(88.81, 35.79, 0.09, 0.50),
        "vgg-16k-96-x1-db": Published(89.12, 35.97, 0.23, 0.21),
        "vgg-16k-96-x2-db": Published(88.86, 35.97, 0.11, 0.10),
        "vgg-16k-48-x1-db": Published(89.32, 36.41, 0.22, 0.53),
        "vgg-16k-48-x2-db": Published(88.97, 35.89, 0.30, 0.40),
        "vgg-16k-128-x1-log": Published(88.81, 35.48, 0.11, 0.20),
        "vgg-16k-128-x2-log": Published(88.51, 35.41, 0.20, 0.13),
        "vgg-16k-96-x1-log": Published(88.91, 35.65, 0.07, 0.39),
        "vgg-16k-96-x2-log": Published(88.78, 35.70, 0.15, 0.07),
        "vgg-16k-48-x1-log": Published(89.17, 36.17, 0.11, 0.26),
        "vgg-16k-48-x2-log": Published(88.98, 35.78, 0.15, 0.25),
        "musicnn-12k-128-x1-db": Published(90.40, 38.54),
        "musicnn-12k-96-x1-db": Published(90.50, 37.70),
        "musicnn-12k-48-x1-db": Published(90.33, 37.80),
        "musicnn-12k-128-x1-log": Published(90.39, 37.67),
        "musicnn-12k-96-x1-log": Published(90.59, 38.25),
        "musicnn-12k-48-x1-log": Published(90.44, 38.03),
        "musicnn-16k-128-x1-db": Published(90.83, 38.92),
        "musicnn-16k-96-x1-db": Published(90.60, 38.09),
        "musicnn-16k-48-x1-db": Published(90.50, 37.70),
        "musicnn-16k-128-x1-log": Published(90.66, 38.22),
        "musicnn-16k-96-x1-log": Published(90.58, 37.74),
        "musicnn-16k-48-x1-log": Published(90.44, 37.76),
    },
    "msd": {
        "vgg-12k-128-x1-db": Published(86.48, 27.56),
        "vgg-12k-128-x2-db": Published(86.28, 27.24),
        "vgg-12k-96-x1-db": Published(86.67, 27.70),
        "vgg-12k-96-x2-db": Published(86.18, 26.93),
        "vgg-12k-48-x1-db": Published(86.53, 27.27),
        "vgg-12k-48-x2-db": Published(85.86, 26.42),
        "vgg-16k-128-x1-db": Published(86.84, 28.10),
        "vgg-16k-128-x2-db": Published(86.34, 27.06),
        "vgg-16k-96-x1-db": Published(86.71, 28.06),
        "vgg-16k-96-x2-db": Published(86.63, 27.70),
        "vgg-16k-48-x1-db": Published(86.73, 27.78),
        "vgg-16k-48-x2-db": Published(86.41, 26.83),
        "musicnn-12k-128-x1-db": Published(87.10, 26.97),
        "musicnn-12k-96-x1-db": Published(87.16, 27.10),
        "musicnn-12k-48-x1-db": Published(86.99, 26.66),
        "musicnn-12k-128-x1-log": Published(87.21, 26.98),
        "musicnn-12k-96-x1-log": Published(87.13, 27.05),
        "musicnn-12k-48-x1-log": Published(87.02, 26.77),
        "musicnn-16k-128-x1-db": Published(87.21, 26.91),
        "musicnn-16k-96-x1-db": Published(87.21, 26.96),
        "musicnn-16k-48-x1-db": Published(87.10, 26.64),
        "musicnn-16k-128-x1-log": Published(87.19, 27.09),
        "musicnn-16k-96-x1-log": Published(87.08, 26.74),
    },
}
"""By data set and configuration."""

# fmt: on

LISTED = {
    "mtat": {"train": 18709, "valid": 1825, "test": 5329},
    "msd": {"train": 201680, "valid": 12634, "test": 28540},
}
"""Clips of each split as the data sets list them."""

USED = {
    "mtat": {"train": 18706, "valid": 1825, "test": 5329},
    "msd": {"train": 201680, "valid": 11774, "test": 28435},
}
"""Those of them that hold 29.1 s of audio, or any at all in MagnaTagATune."""

NAMES = {"mtat": "MagnaTagATune", "msd": "the Million Song Dataset"}
