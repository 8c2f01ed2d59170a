"""How far the scores of the bundled models differ on other processors.

    python benchmarks/processors.py SONG MODELS PYTHON...

MODELS is a pattern, such as 'vgg-*'. Each PYTHON is a command that starts a Python with autotag on another
processor; an emulated one will do:

    'qemu-x86_64 -cpu Haswell python'                            AVX2, and no VNNI
    'qemu-x86_64 -cpu Nehalem python'                            SSE4.2
    'qemu-aarch64 -cpu cortex-a72 -L ROOT ROOT/usr/bin/python3'  ARM; ROOT holds its Python and libraries

Prints the largest difference from the scores of this processor, over all tags of the song.
"""

import fnmatch
import json
import shlex
import subprocess
import sys

from autotag.models.registry import models


def scores(python: str, song: str, model: str) -> dict[str, float]:
    """All tags of the song and their scores, by the model."""
    asked = ["-m", "autotag", song, "--model", model, "--top", "100", "--format", "json"]
    done = subprocess.run([*shlex.split(python), *asked], stdout=subprocess.PIPE, check=True)
    return {each["tag"]: each["score"] for each in json.loads(done.stdout)[0]["tags"]}


def main(song: str, pattern: str, *pythons: str) -> None:
    """Print a row a model, with a column a processor."""
    print("| model |", " | ".join(pythons), "|")
    print("|---|" + "---|" * len(pythons))
    for model in fnmatch.filter(models(), pattern):
        here = scores(shlex.quote(sys.executable), song, model)
        cells = []
        for python in pythons:
            there = scores(python, song, model)
            cells.append(f"{max(abs(here[tag] - there[tag]) for tag in here):.4f}")
        print("|", model, "|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
