#!/usr/bin/env python3
"""The example program over the installed library gives the rewards of the command line: run_example.py EXAMPLE LAUREL"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ["LAUREL_BINARY"] = sys.argv[2]
import support  # noqa: E402  (reads LAUREL_BINARY)


def main():
    example = sys.argv[1]
    usage = subprocess.run([example], capture_output=True)
    assert usage.returncode == 2 and b"usage" in usage.stderr, usage
    missing = subprocess.run([example, "/nowhere/at/all"], capture_output=True)
    assert missing.returncode in (2, 3) and b"/nowhere/at/all" in missing.stderr, missing
    try:
        model = support.fixed_head_model()
    except support.unittest.SkipTest as reason:
        print(f"without a model: {reason}")
        return
    done = subprocess.run([example, str(model)], capture_output=True, check=True)
    printed = [float(number) for number in re.findall(r"^\s*([+-]\d+\.\d+)  ", done.stdout.decode(), re.MULTILINE)]
    with tempfile.TemporaryDirectory() as folder:
        rows = support.write_jsonl(pathlib.Path(folder, "in.jsonl"), [{
            "prompt": "What is the capital of France?", "completions": ["The capital of France is Paris.", "I like trains."]}])
        output = pathlib.Path(folder, "out.jsonl")
        scored = support.laurel("score", "--model", model, "--input", rows, "--output", output)
        assert scored.returncode == 0, scored.stderr.decode()
        rewards = support.read_jsonl(output)[0]["rewards"]
    assert [f"{r:+.6f}" for r in rewards] == [f"{p:+.6f}" for p in printed], (rewards, printed)
    print("the example and the command line agree:", printed)


if __name__ == "__main__":
    main()
