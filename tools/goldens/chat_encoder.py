"""Makes tests/goldens/chat/encoder.json: tiny checkpoints of our own, and what transformers makes of conversations and
texts with them. Run with transformers==4.57.6, tokenizers==0.22.2:  python tools/goldens/chat_encoder.py"""
import json
import pathlib
import tempfile

import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer

assert transformers.__version__ == "4.57.6" and tokenizers.__version__ == "0.22.2"
OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "goldens" / "chat" / "encoder.json"

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ '[' + m.role + ']' + m.content + eos_token }}{% endfor %}"
PLAIN = "{% for m in messages %}{{ '[' + m.role + ']' + m.content }}{% endfor %}"
CHAT = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]


def tokenizer_json(single):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {c: i for i, c in enumerate(alphabet)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([BOS, EOS, PAD])
    if single:
        tok.post_processor = processors.TemplateProcessing(
            single=single, pair=None, special_tokens=[(t, tok.token_to_id(t)) for t in (BOS, EOS)])
    return tok.to_str()


def config(template, pad=PAD, **more):
    return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS,
            **({"pad_token": pad} if pad else {}), "chat_template": template, **more}


CHECKPOINTS = {
    "bos": (f"{BOS} $A", config(TEMPLATE)),
    "bos and eos": (f"{BOS} $A {EOS}", config(TEMPLATE)),
    "left": (f"{BOS} $A {EOS}", config(TEMPLATE, truncation_side="left")),
    "no special tokens": (None, config(PLAIN)),
    "no pad": (f"{BOS} $A", config(TEMPLATE, pad=None)),
    "template list": (f"{BOS} $A", config([{"name": "default", "template": PLAIN}, {"name": "rag", "template": TEMPLATE}])),
}
TEXTS = ["abc", BOS + "abc", "abc" + EOS, "", BOS, "abc" + PAD + PAD, "a" * 40]
LENGTHS = [None, 3, 10, 20, 2048]


def scored(ids, pad):
    """Where transformers' classification head reads the logits of a row (modeling_layers.py)."""
    if not ids:
        return None
    if pad is None:
        return len(ids) - 1
    row = torch.tensor([ids])
    positions = torch.arange(row.shape[-1], dtype=torch.int32)
    return int((positions * (row != pad).to(torch.int32)).argmax(-1)[0])


def reward_bench(tok, config_pad, text, length):
    """The runner's tokenizer call, its mask of a double BOS, and its choice of a pad token."""
    pad = config_pad
    if tok.pad_token_id is None:
        pad = tok.eos_token_id
    elif pad is None:
        pad = tok.pad_token_id
    ids = tok(text, truncation=True, max_length=length or 2048)["input_ids"]
    masked = int(len(ids) > 1 and ids[0] == ids[1] == tok.bos_token_id)
    return {"rule": "reward-bench", "ids": ids, "scored": scored(ids, pad), "masked": masked}


def cases_of(tok, config_pad):
    rendered = tok.apply_chat_template(CHAT, tokenize=False)
    yield {"messages": CHAT, "text": rendered, "rule": "transformers", "masked": 0,
           "ids": (ids := tok.apply_chat_template(CHAT, tokenize=True)), "scored": scored(ids, config_pad)}
    for length in LENGTHS:
        yield {"messages": CHAT, "text": rendered, "length": length, **reward_bench(tok, config_pad, rendered, length)}
        if length:
            for side in ("left", "right"):
                ids = tok.apply_chat_template(CHAT, tokenize=False)
                tok.truncation_side, before = side, tok.truncation_side
                ids = tok(ids, add_special_tokens=False, truncation=True, max_length=length)["input_ids"]
                tok.truncation_side = before
                yield {"messages": CHAT, "text": rendered, "length": length, "side": side, "rule": "transformers",
                       "masked": 0, "ids": ids, "scored": scored(ids, config_pad)}
    for text in TEXTS:
        ids = tok(text)["input_ids"]
        if ids[:2] == [tok.bos_token_id] * 2:  # the one place where we differ: never a double BOS
            ids = ids[1:]
        yield {"input": text, "text": text, "rule": "transformers", "masked": 0, "ids": ids,
               "scored": scored(ids, config_pad)}
        for length in LENGTHS:
            yield {"input": text, "text": text, "length": length, **reward_bench(tok, config_pad, text, length)}


def main():
    checkpoints = []
    for name, (single, tokenizer_config) in CHECKPOINTS.items():
        files = {"tokenizer.json": tokenizer_json(single), "tokenizer_config.json": json.dumps(tokenizer_config)}
        with tempfile.TemporaryDirectory() as directory:
            for file, text in files.items():
                (pathlib.Path(directory) / file).write_text(text)
            tok = AutoTokenizer.from_pretrained(directory)
        for config_pad in (258, None):
            checkpoints.append({"name": f"{name}, pad {config_pad}", "files": files, "config_pad": config_pad,
                                "cases": list(cases_of(tok, config_pad))})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made_by": "tools/goldens/chat_encoder.py", "checkpoints": checkpoints}, ensure_ascii=False)
    OUT.write_text(text + "\n")
    print(sum(len(c["cases"]) for c in checkpoints), "cases,", len(text), "bytes")


if __name__ == "__main__":
    main()
