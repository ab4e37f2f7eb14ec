"""Checkpoints of published shapes whose numbers do not matter: bfloat16, sharded, as holes or with random weights.

Standard library only.
"""

import gzip
import json
import os
import random
import shutil
import struct

import common

SHARD_BYTES = 5_000_000_000
SHAPES = {
    "70B": {"hidden_size": 8192, "intermediate_size": 28672, "num_attention_heads": 64, "num_key_value_heads": 8,
            "head_dim": 128, "num_hidden_layers": 80, "vocab_size": 128256},
    "8B": {"hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
           "head_dim": 128, "num_hidden_layers": 32, "vocab_size": 128256},
    "1B": {"hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32, "num_key_value_heads": 8,
           "head_dim": 64, "num_hidden_layers": 16, "vocab_size": 128256},
}
BLOCK = 16 << 20


def config_of(shape):
    return {"architectures": ["LlamaForSequenceClassification"], "model_type": "llama", "hidden_act": "silu",
            "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "num_labels": 1, "pad_token_id": 128004,
            "id2label": {"0": "LABEL_0"}, **shape}


def tensors_of(shape):
    """(name, shape) in the order of a published checkpoint."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    query, kv = (shape[key] * shape["head_dim"] for key in ("num_attention_heads", "num_key_value_heads"))
    yield "model.embed_tokens.weight", [shape["vocab_size"], hidden]
    for i in range(shape["num_hidden_layers"]):
        for name, size in {"input_layernorm": [hidden], "mlp.down_proj": [hidden, inner], "mlp.gate_proj": [inner, hidden],
                           "mlp.up_proj": [inner, hidden], "post_attention_layernorm": [hidden],
                           "self_attn.k_proj": [kv, hidden], "self_attn.o_proj": [hidden, query],
                           "self_attn.q_proj": [query, hidden], "self_attn.v_proj": [kv, hidden]}.items():
            yield f"model.layers.{i}.{name}.weight", size
    yield "model.norm.weight", [hidden]
    yield "score.weight", [1, hidden]


def num_bytes(size):
    return 2 * size[0] * (size[1] if len(size) > 1 else 1)


def shards_of(shape):
    """Lists of (name, size) of at most SHARD_BYTES each."""
    shards, filled = [[]], 0
    for name, size in tensors_of(shape):
        if shards[-1] and filled + num_bytes(size) > SHARD_BYTES:
            shards.append([])
            filled = 0
        shards[-1].append((name, size))
        filled += num_bytes(size)
    return shards


def random_block():
    """bfloat16 values between 2^-7 and 2^-5, of both signs."""
    block = bytearray(random.Random(2).randbytes(BLOCK))
    signs = bytes(0x3C if byte < 128 else 0xBC for byte in range(256))
    block[1::2] = block[1::2].translate(signs)
    return bytes(block)


def write_tensor(file, size, block):
    left = num_bytes(size)
    if len(size) == 1:
        file.write(b"\x80\x3f" * size[0])  # 1.0
        return
    while left > 0:
        left -= file.write(block[: min(left, len(block))])


def make_checkpoint(folder, shape, block=None):
    """A sharded checkpoint: random weights of `block`'s bytes, or holes without one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config_of(shape)))
    add_tokenizer(folder)
    shards, places = shards_of(shape), {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        header, end = {}, 0
        for tensor, size in shard:
            begin, end = end, end + num_bytes(size)
            header[tensor] = {"dtype": "BF16", "shape": size, "data_offsets": [begin, end]}
            places[tensor] = name
        text = json.dumps(header).encode()
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            if block is None:
                file.truncate(8 + len(text) + end)
            else:
                for _, size in shard:
                    write_tensor(file, size, block)
                file.flush()
                os.fsync(file.fileno())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def add_tokenizer(folder):
    """Llama 3's, or the base model's where that is not at hand; the rows are token ids."""
    source = common.SHARED / "tokenizers" / "llama3"
    if source.exists():
        (folder / "tokenizer.json").write_bytes(gzip.decompress((source / "tokenizer.json.gz").read_bytes()))
        shutil.copyfile(source / "tokenizer_config.json", folder / "tokenizer_config.json")
    else:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(common.base_model("bf16") / name, folder / name)
