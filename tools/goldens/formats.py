"""Makes tests/goldens/formats, tests/goldens/gguf/*.gguf and the seeds of the fuzzers of laurel/formats.

    python tools/goldens/formats.py     (from the repository root)

Needs torch 2.11.0, safetensors 0.7, gguf 0.19.0, numpy. Seed 7 everywhere.
"""

import gzip
import io
import json
import pathlib
import shutil
from collections import OrderedDict

import gguf
import numpy as np
import torch
from safetensors.numpy import save as save_safetensors

FORMATS = pathlib.Path("tests/goldens/formats")
GGUF = pathlib.Path("tests/goldens/gguf")
CORPUS = pathlib.Path("tests/corpus")
Type = gguf.GGMLQuantizationType
BLOCK_TYPES = [Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0,
               Type.Q4_K, Type.Q5_K, Type.Q6_K]
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
          Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}
rng = np.random.default_rng(7)


def random_blocks(kind, num_blocks):
    """Random bytes with finite scales."""
    _, num_bytes = gguf.GGML_QUANT_SIZES[kind]
    if kind == Type.F32:
        return rng.standard_normal(num_blocks).astype(np.float32).view(np.uint8)
    if kind in (Type.F16, Type.BF16):
        bits = rng.integers(0, 0x7c00 if kind == Type.F16 else 0x7f80, num_blocks)
        return (bits + rng.integers(0, 2, num_blocks) * 0x8000).astype(np.uint16).view(np.uint8)
    blocks = rng.integers(0, 256, (num_blocks, num_bytes), dtype=np.uint8)
    for at in HALVES[kind]:
        scale = (rng.standard_normal(num_blocks) * 0.01).astype(np.float16)
        scale[0] = np.float16(6e-8)  # subnormal
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(-1)


def make_blocks():
    """blocks.bin: per type u32 id, u32 bytes, u32 values, blocks, values."""
    out = io.BytesIO()
    for kind in BLOCK_TYPES:
        blocks = random_blocks(kind, 12)
        values = gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(-1)
        out.write(np.array([kind, blocks.size, values.size], np.uint32).tobytes())
        out.write(blocks.tobytes() + values.tobytes())
    (GGUF / "blocks.bin").write_bytes(out.getvalue())


def tiny_tokens():
    """All byte characters, two merges, control and user tokens, one unused."""
    table = gguf.vocab.bytes_to_unicode() if hasattr(gguf.vocab, "bytes_to_unicode") else None
    if table is None:
        plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
        others = [b for b in range(256) if b not in plain]
        table = {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}
    tokens = ["<bos>", "<eos>", "<pad>", *(table[b] for b in range(256)), "he", "hel", "<tool>", "[PAD0]"]
    types = [3, 3, 3] + [1] * 258 + [4, 5]
    return tokens, types, ["h e", "he l"]


def make_model(path, arch, pre, kinds, *, heads=4, kv_heads=2, tied=True, bias=False, rope_factors=False,
               hidden=256, ff=256, add_bos=None):
    """A random decoder of len(kinds) layers; layer i stores its matrices as kinds[i]."""
    tokens, types, merges = tiny_tokens()
    writer = gguf.GGUFWriter(path, arch)
    head_dim = hidden // heads
    writer.add_block_count(len(kinds))
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ff)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(500000.0 if rope_factors else 10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    if add_bos is not None:
        writer.add_add_bos_token(add_bos)
    writer.add_chat_template("{{ messages[0]['content'] }}")

    def vector(name, size):
        writer.add_tensor(name, rng.standard_normal(size).astype(np.float32))

    def matrix(name, rows, columns, kind):
        blocks = random_blocks(kind, rows * columns // gguf.GGML_QUANT_SIZES[kind][0])
        if kind == Type.F32:
            writer.add_tensor(name, blocks.view(np.float32).reshape(rows, columns))
        elif kind == Type.F16:
            writer.add_tensor(name, (rng.standard_normal((rows, columns)) * 0.1).astype(np.float16))
        else:
            writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=kind)

    matrix("token_embd.weight", len(tokens), hidden, Type.Q4_0)
    for i, kind in enumerate(kinds):
        p = f"blk.{i}."
        vector(p + "attn_norm.weight", hidden)
        matrix(p + "attn_q.weight", heads * head_dim, hidden, kind)
        matrix(p + "attn_k.weight", kv_heads * head_dim, hidden, kind)
        matrix(p + "attn_v.weight", kv_heads * head_dim, hidden, kind)
        matrix(p + "attn_output.weight", hidden, heads * head_dim, kind)
        vector(p + "ffn_norm.weight", hidden)
        for name, rows, columns in (("gate", ff, hidden), ("up", ff, hidden), ("down", hidden, ff)):
            matrix(p + f"ffn_{name}.weight", rows, columns, kind)
        if bias:
            vector(p + "attn_q.bias", heads * head_dim)
            vector(p + "attn_k.bias", kv_heads * head_dim)
            vector(p + "attn_v.bias", kv_heads * head_dim)
            if arch == "llama":
                vector(p + "attn_output.bias", hidden)
    vector("output_norm.weight", hidden)
    if not tied:
        matrix("output.weight", len(tokens), hidden, Type.Q4_0)
    if rope_factors:
        frequencies = 1.0 / 500000.0 ** (np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
        wavelengths = 2 * np.pi / frequencies
        smooth = (8192 / wavelengths - 1) / 3
        factors = np.where(wavelengths < 2048, 1.0,
                           np.where(wavelengths > 8192, 32.0, 1 / ((1 - smooth) / 32 + smooth)))
        writer.add_tensor("rope_freqs.weight", factors.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make_models():
    # Values of every type go through blocks.bin; the models are about names, shapes and row order.
    make_model(GGUF / "llama_tiny.gguf", "llama", "llama-bpe", [Type.Q4_0], hidden=64, ff=96,
               bias=True, rope_factors=True, tied=False)
    make_model(GGUF / "qwen2_tiny.gguf", "qwen2", "qwen2", [Type.Q8_0, Type.Q5_1], hidden=64, ff=32,
               bias=True)
    make_model(GGUF / "llama_k.gguf", "llama", "gpt-2", [Type.Q4_K], hidden=256, ff=256, add_bos=False)
    # What the loader of transformers makes of the rows of q, as a check of the order.
    expected = {}
    for name in ("llama_tiny", "qwen2_tiny"):
        reader = gguf.GGUFReader(GGUF / f"{name}.gguf")
        for tensor in reader.tensors:
            if tensor.name not in ("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_q.bias"):
                continue
            heads = 2 if "attn_k" in tensor.name else 4
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            if name == "llama_tiny":  # the inverse of the converter's reshape and swap
                dim = values.shape[0] // heads // 2
                values = values.reshape(heads, dim, 2, *values.shape[1:]).swapaxes(2, 1).reshape(values.shape)
            expected[f"{name}.{tensor.name}"] = np.ascontiguousarray(values, np.float32)
    (GGUF / "rows.safetensors").write_bytes(save_safetensors(expected))


def make_torch():
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = OrderedDict(
        f32=base, transposed=base.t(), slice=base[1:, 1:3], row=base[1],
        f16=base.to(torch.float16), bf16=torch.nn.Parameter(base.to(torch.bfloat16)),
        f64=base.to(torch.float64), i64=torch.arange(4), i32=torch.arange(4, dtype=torch.int32),
        i16=torch.arange(4, dtype=torch.int16), i8=torch.arange(-2, 2, dtype=torch.int8),
        u8=torch.arange(4, dtype=torch.uint8), flag=torch.tensor([True, False]),
        scalar=torch.tensor(2.5), empty=torch.zeros(0, 3))
    tensors._metadata = {"": {"version": 1}}
    for protocol in (2, 4):
        torch.save(tensors, FORMATS / f"tensors_p{protocol}.bin", pickle_protocol=protocol)
    torch.save({"a": torch.ones(2)}, FORMATS / "old_format.bin", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.ones(1).expand(4)}, FORMATS / "expanded.bin")
    torch.save({"a": 3}, FORMATS / "not_a_tensor.bin")
    torch.save([torch.ones(2)], FORMATS / "list.bin")
    torch.save({"a": torch.optim.SGD([torch.ones(1)], lr=1)}, FORMATS / "object.bin")
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, FORMATS / "complex.bin")


def make_safetensors():
    data = save_safetensors(
        {"b.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.weight": np.ones(3, np.float16),
         "ids": np.arange(2, dtype=np.int64), "flags": np.array([True, False, True]),
         "scalar": np.array(2.5, np.float32), "empty": np.zeros((0, 4), np.float32)}, {"format": "pt"})
    (FORMATS / "tensors.safetensors").write_bytes(data)


def make_corpus():
    for name in ("safetensors", "pytorch_bin", "gguf", "jsonl"):
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(FORMATS / "tensors.safetensors", CORPUS / "safetensors/tensors")
    for name in ("tensors_p2", "tensors_p4", "not_a_tensor", "expanded"):
        shutil.copy(FORMATS / f"{name}.bin", CORPUS / "pytorch_bin" / name)
    make_model(CORPUS / "gguf/llama", "llama", "smollm", [Type.Q4_0], heads=1, kv_heads=1, hidden=32, ff=32)
    make_model(CORPUS / "gguf/qwen2", "qwen2", "qwen2", [Type.F16], heads=2, kv_heads=1, hidden=32, ff=32,
               bias=True)
    lines = b'{"prompt": "a", "response": "b"}\r\n\n{"text": "c"}'
    (CORPUS / "jsonl/plain").write_bytes(lines)
    (CORPUS / "jsonl/gzip").write_bytes(gzip.compress(lines, mtime=0) * 2)
    # One zstd frame with a raw block and no checksum, written by hand.
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(lines)]) + (len(lines) << 3 | 1).to_bytes(3, "little") + lines
    (CORPUS / "jsonl/zstd").write_bytes(frame * 2)


def main():
    for folder in (FORMATS, GGUF):
        folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    make_safetensors()
    make_torch()
    make_blocks()
    make_models()
    make_corpus()
    print(json.dumps({str(p): p.stat().st_size for folder in (FORMATS, GGUF) for p in sorted(folder.iterdir())}, indent=1))


if __name__ == "__main__":
    main()
