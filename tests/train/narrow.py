"""Networks of a few filters, and `python -m tests.train.narrow`, which is `python -m train` with these.

What a run, its export and its report do is the same at any width. In their full width networks are tested in
`networks/` and `export/`, and `export/test_full_width.py` goes all the way with one.
"""

from pkgutil import resolve_name

WIDTHS = {
    "train.fit.device.SIDES": {"cpu": 256},
    "train.networks.vgg.FILTERS": (4, 6, 8, 32),
    "train.networks.vgg.VGG.width": 32,
    "train.networks.vgg.RANKS": (4, 6, 8),
    "train.networks.musicnn.TIMBRE": ((7, 4), (3, 4), (1, 4)),
    "train.networks.musicnn.TEMPORAL": ((165, 2), (128, 2), (64, 2), (32, 2)),
    "train.networks.musicnn.BACK_END": 8,
    "train.networks.musicnn.RANKS": (4, 4, 4),
    "train.networks.musicnn.MUSICNN.width": 16,
}

if __name__ == "__main__":  # not in the processes that are spawned, which build no network
    from train.cli import main

    for name, value in WIDTHS.items():
        place, _, constant = name.rpartition(".")
        setattr(resolve_name(place), constant, value)
    main()
