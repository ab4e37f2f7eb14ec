"""Checks `laurel convert` against transformers' own GGUF loader, and records the outcome.

    check_gguf_conversion.py LAUREL MODEL.gguf [GOLDEN.json]

Converts the file (float32), loads the directory with transformers 4.57.6 and compares: every tensor bit for bit and the
logits of a few token sequences with those of AutoModelForCausalLM.from_pretrained(dir, gguf_file=…). Writes GOLDEN.json:
versions, a summary of the logits and a fingerprint (XXH3, 128 bits) of every converted tensor.

Needs torch 2.11.0, transformers 4.57.6, gguf 0.19.0, safetensors, xxhash.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
import xxhash
from safetensors.torch import load_file

SEQUENCES = [[1, 4093, 198, 26843, 2, 198], [19556, 28, 392, 416, 722], list(range(100, 164))]


def logits_of(model):
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits[0].double() for ids in SEQUENCES]


def fingerprint(tensor):
    return xxhash.xxh3_128_hexdigest(tensor.contiguous().numpy().tobytes())


def main():
    laurel, gguf = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    options = {"attn_implementation": "eager"}
    with tempfile.TemporaryDirectory() as folder:
        converted = pathlib.Path(folder) / "converted"
        subprocess.run([laurel, "convert", "--from", gguf, "--to", converted], check=True)
        tensors = load_file(converted / "model.safetensors")
        ours = transformers.AutoModelForCausalLM.from_pretrained(
            converted, dtype=torch.float32, **options)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, **options)

    expected = theirs.state_dict()
    differing = [name for name, tensor in ours.state_dict().items()
                 if not torch.equal(tensor, expected[name])]
    our_logits, their_logits = logits_of(ours), logits_of(theirs)
    difference = max((a - b).abs().max().item() for a, b in zip(our_logits, their_logits))
    outcome = {
        "made_by": "tools/check_gguf_conversion.py",
        "model": gguf.name,
        "versions": {"torch": torch.__version__.split("+")[0],
                     "transformers": transformers.__version__},
        "differing_tensors": differing,
        "max_abs_logit_difference": difference,
        "sequences": SEQUENCES,
        "last_position": [{"argmax": int(row[-1].argmax()), "max": row[-1].max().item(),
                           "mean": row[-1].mean().item()} for row in our_logits],
        "fingerprints": {name: fingerprint(tensor) for name, tensor in sorted(tensors.items())},
    }
    text = json.dumps(outcome, indent=1) + "\n"
    if len(sys.argv) > 3:
        pathlib.Path(sys.argv[3]).write_text(text)
    print(f"{len(ours.state_dict())} tensors, {len(differing)} differ; "
          f"largest logit difference {difference}")
    return 1 if differing or difference != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
