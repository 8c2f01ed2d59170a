"""What INT8 is worth on processors without VNNI: times of the bundled models in INT8 and in float32.

    python benchmarks/vnni.py 'vgg-12k-*' 'musicnn-*'

Each argument is a pattern of models. Float32 is the same network without the rounding. Every model is timed
on one thread for 29.1 s, both precisions in turns: as this processor is, and where gdb hides AVX-512, VNNI
and AMX from onnxruntime, which then takes the kernels of a processor that has AVX2 alone. Linux on x86-64,
with gdb and objdump.
"""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx.numpy_helper import from_array, to_array
from onnxruntime.capi import onnxruntime_pybind11_state

from autotag.models.model import Model
from autotag.models.registry import find, models
from train.export.restore import dequantised

ROUNDS = 31

HIDE = r"""
import gdb

def asked(name):
    return int(gdb.parse_and_eval(f"(unsigned int)${name}"))

def clear(name, bits):
    gdb.execute(f"set ${name} = {asked(name) & ~bits & 0xFFFFFFFF}")

gdb.execute("catch load onnxruntime_pybind11")
gdb.execute("run")
mapped = gdb.execute("info proc mappings", to_string=True).splitlines()
base = min(int(line.split()[0], 16) for line in mapped if line.endswith(library))
gdb.execute("delete")
for place in places:
    gdb.Breakpoint(f"*{base + place}")
gdb.execute("continue")
while gdb.selected_inferior().pid:
    leaf, part = asked("eax"), asked("ecx")
    gdb.execute("stepi")
    if (leaf, part) == (7, 0):  # AVX-512 of all kinds, VNNI, AMX
        clear("ebx", 0xDC230000)
        clear("ecx", 0x5842)
        clear("edx", 0x3C0010C)
    if (leaf, part) == (7, 1):  # VNNI of 256 bits, bfloat16
        clear("eax", 0xFFFFFFFF)
        clear("edx", 0xFFFFFFFF)
    gdb.execute("continue")
"""
"""What gdb does; it knows `library`, a name, and `places`, where that has `cpuid` instructions."""


def main() -> None:
    """Print a row a model: the medians of both precisions here and without VNNI, in ms."""
    if sys.argv[1] == "--times":
        print(json.dumps([times(name) for name in sys.argv[2:]]))
        return
    chosen = [name for name in models() if any(fnmatch.fnmatch(name, each) for each in sys.argv[1:])]
    command = [sys.executable, __file__, "--times", *chosen]
    here = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    without = json.loads(hidden(command))
    print("| model | INT8, ms | float32, ms | ratio | INT8 without VNNI, ms | float32, ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, *both in zip(chosen, here, without, strict=True):
        cells = [f"{a:.1f} | {b:.1f} | {a / b:.2f}" for a, b in both]
        print("|", name, "|", " | ".join(cells), "|")


def hidden(command: list[str]) -> str:
    """The last line that a command prints, where onnxruntime finds no VNNI."""
    for tool in ("gdb", "objdump"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool}: no such program on the PATH. Install gdb and binutils.")
    library = Path(onnxruntime_pybind11_state.__file__)
    code = subprocess.run(
        ["objdump", "-d", str(library)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    places = [int(place, 16) for place in re.findall(r"^ *([0-9a-f]+):\s.*\tcpuid", code, re.MULTILINE)]
    script = f"library, places = {library.name!r}, {places}\n{HIDE}"
    gdb = ["gdb", "-batch", "-nx", "-ex", f"python exec({script!r})", "--args", *command]
    said = subprocess.run(gdb, capture_output=True, text=True)
    found = [line for line in said.stdout.splitlines() if line.startswith("[[")]
    if not found:
        sys.exit(f"gdb ended without times: {said.stdout[-500:]}{said.stderr[-500:]}")
    return found[-1]


def times(name: str) -> tuple[float, float]:
    """Milliseconds in INT8 and in float32 for 29.1 s."""
    path = find(name).path
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        whole.write_bytes(float32(path))
        both = [Model(file, threads=1) for file in (path, whole)]
    config = both[0].metadata.config
    segments = max(1, round(29.1 * config.sr / 256 / config.hop / config.frames))
    random = np.random.default_rng(0)
    mel = random.normal(-30, 10, (segments, config.mels, config.frames)).astype(np.float32)
    taken: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for model, found in zip(both, taken, strict=True):
            begun = time.perf_counter()
            model(mel)
            found.append(1000 * (time.perf_counter() - begun))
    return median(taken[0][1:]), median(taken[1][1:])


def float32(path: Path) -> bytes:
    """The network of an INT8 file with the same weights in float32, and no rounding between its layers."""
    model = onnx.load(path)
    graph = model.graph
    constant = {each.name: each for each in graph.initializer}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constant:
            weight = dequantised(*(to_array(constant[each]) for each in node.input))
            graph.initializer.append(from_array(weight, node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            node.input[:] = [same.get(each, each) for each in node.input]
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    written: bytes = model.SerializeToString()
    return written


if __name__ == "__main__":
    main()
