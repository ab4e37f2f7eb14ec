#!/usr/bin/env python3
"""Makes tests/goldens/data/: samples without replacement as numpy draws them (numpy 2.4.6, seeds in the file).

  .venv/bin/python tools/goldens/data.py
"""
import json
import pathlib

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = [(42, 2, 1), (42, 10, 3), (42, 64, 63), (42, 65, 64), (42, 1000, 37), (0, 257, 12), (7, 4096, 9),
         (4294967295, 300, 299), (42, 271409, 20), (42, 2312, 2000)]
SHOWN = 40


def main():
    folder = ROOT / "tests" / "goldens" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for seed, rows, size in CASES:
        sample = numpy.random.RandomState(seed).choice(rows, size=size, replace=False).tolist()
        cases.append({"seed": seed, "rows": rows, "size": size, "first": sample[:SHOWN],
                      "sum": sum((i + 1) * row for i, row in enumerate(sample))})
    lines = ",\n ".join(json.dumps(case) for case in cases)
    (folder / "samples.json").write_text(f'{{"numpy": "{numpy.__version__}", "cases": [\n {lines}\n]}}\n')


if __name__ == "__main__":
    main()
