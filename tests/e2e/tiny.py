"""A tiny random reward model with a tokenizer of characters, and rows for it: everything a sweep needs, in milliseconds."""

import json
import shutil

from support import ROOT, write_jsonl

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 \n.,:;?!+-*/=()'\"<>|"
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
SUBSETS = ["Factuality", "Precise IF", "Math", "Safety", "Focus"]


def make_base(folder, shape="llama"):
    """A golden model (the Llama: hidden 32, 3 layers) with a token per character."""
    folder.mkdir(parents=True)
    source = ROOT / "tests" / "goldens" / "model" / shape
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, folder / name)
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *CHARACTERS])}
    added = [{"id": i, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
             for i, token in enumerate(SPECIAL)]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
        "unk_token": "<unk>", "chat_template": TEMPLATE}))
    return folder


def write_pairs(path, first, count):
    """Pairs whose chosen answer is the right sum."""
    def pair(n):
        say = lambda answer: [{"role": "user", "content": f"{n} + 1?"}, {"role": "assistant", "content": answer}]
        return {"chosen": say(f"it is {n + 1}."), "rejected": say(f"maybe {n + 3}")}
    return write_jsonl(path, [pair(n) for n in range(first, first + count)])


def write_benchmark(path, per_subset=4):
    """Rows in RewardBench 2's form, every subset."""
    rows = []
    for s, subset in enumerate(SUBSETS):
        for i in range(per_subset):
            n = 10 * s + i
            rows.append({"id": str(len(rows)), "prompt": f"{n} + 2?", "chosen": [f"it is {n + 2}."],
                         "rejected": [f"maybe {n}", f"no {n + 5}", "?"], "subset": subset})
    for i in range(per_subset):
        right = [f"it is {k}." for k in range(3)]
        rows.append({"id": f"ref:{i}", "prompt": f"digit {i}?", "chosen": right[:1], "rejected": ["x", "y"], "subset": "Ties"})
        rows.append({"id": f"tied:{i}", "prompt": f"digit {i}?", "chosen": right, "rejected": ["x", "y"], "subset": "Ties"})
    return write_jsonl(path, rows)
