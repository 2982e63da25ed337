"""What a GPU reaches: its kernels, encoding from text to vector, and whether the numbers are right.

Usage: python tests/benchmarks/encode_gpu.py a|b|c [--device cuda|cpu] [--tiny] [--models NAME,NAME]

Each part takes less than ten minutes on an H200 and prints one JSON line for each row, then a table of
`claim | target | measured | pass`; it ends with status 1 where a claim does not hold. Models have the shapes of known
ones and random weights; texts are made of real words, and those that are measured are not those that warm up. `--tiny`
takes small shapes and few texts, and runs on the CPU too: it shows that the script works, not how fast anything is, so
nothing is claimed.

    a  matrix products and copies, forms of attention, the forward pass from ids on the device
    b  the tokenizer alone, the whole way with the vector cache and without, sentence-transformers beside it
    c  cosines to float32, a row alone and among others, memory that runs out, the search beside that of the CPU

mteb need not be installed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.benchmarks import gpu_end_to_end, gpu_kernels, gpu_truth
from tests.benchmarks.gpu_reports import Report

PARTS = {"a": gpu_kernels.measure, "b": gpu_end_to_end.measure, "c": gpu_truth.measure}


def main() -> int:
    """Measure one part; the exit status says whether every claim holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--tiny", action="store_true", help="small shapes and few texts, for trying the script out")
    parser.add_argument("--models", help="only these, by name, separated by commas")
    options = parser.parse_args()
    if not options.device.startswith("cuda") and not options.tiny:
        parser.error("this is about CUDA devices; --tiny runs on the CPU")
    names = None if options.models is None else options.models.split(",")
    report = Report(options.part, device=options.device, tiny=options.tiny, models=names)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HARNESS_CACHE"] = str(Path(folder) / "cache")
        PARTS[options.part](report, Path(folder))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
