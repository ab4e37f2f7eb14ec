#!/usr/bin/env python3
"""Makes tests/goldens/model: tiny random reward models and their rewards.

Peers: torch 2.11.0, transformers 4.57.6, peft 0.21.2, safetensors. Each case is a directory as save_pretrained writes it
(config.json, model.safetensors) with expected.json: token ids and the rewards of transformers in float32 and float64 (eager
attention, one sequence at a time, no padding). The distance of these two is the yardstick of the test's bound. Usage: tools/goldens/model.py [OUTPUT_DIR]
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (LlamaConfig, LlamaForSequenceClassification, Qwen2Config,
                          Qwen2ForSequenceClassification)

COMMON = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=512, num_labels=1, pad_token_id=3,
              attn_implementation="eager")
LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)

CASES = {
    "llama": ("llama", dict(), torch.float32),
    "llama_bias_head_dim": ("llama", dict(attention_bias=True, mlp_bias=True, head_dim=12, num_key_value_heads=1),
                            torch.bfloat16),
    "llama_rope_llama3": ("llama", dict(rope_theta=500000.0, rope_scaling=LLAMA3_ROPE), torch.float16),
    "llama_rope_linear": ("llama", dict(rope_scaling=dict(rope_type="linear", factor=4.0)), torch.bfloat16),
    "llama_rope_yarn": ("llama", dict(rope_scaling=dict(rope_type="yarn", factor=4.0,
                                                        original_max_position_embeddings=64)), torch.bfloat16),
    "qwen2": ("qwen2", dict(rope_theta=1000000.0), torch.bfloat16),
    "qwen2_window": ("qwen2", dict(use_sliding_window=True, sliding_window=9, max_window_layers=1), torch.bfloat16),
}


def make_model(family, overrides, dtype, seed):
    torch.manual_seed(seed)
    config_class, model_class = {"llama": (LlamaConfig, LlamaForSequenceClassification),
                                 "qwen2": (Qwen2Config, Qwen2ForSequenceClassification)}[family]
    model = model_class(config_class(**{**COMMON, **overrides})).eval()
    for name, parameter in model.named_parameters():  # larger than the default, so that every part matters
        scale = 0.3 if "norm" not in name else 0.2
        offset = 1.0 if "norm" in name else 0.0
        # rounded to the stored type one by one: model.to() would round the rotary frequencies too
        parameter.data = (torch.randn_like(parameter) * scale + offset).to(dtype).float()
    return model


def sequences(seed):
    generator = torch.Generator().manual_seed(seed)
    prompt = torch.randint(4, 96, (40,), generator=generator).tolist()
    rows = []
    for length in (1, 2, 17, 64, 65, 130, 200):
        tail = torch.randint(4, 96, (length,), generator=generator).tolist()
        rows += [tail, prompt + tail, prompt[:25] + tail]
    return rows


def rewards(model, rows):
    with torch.no_grad():
        return [model(input_ids=torch.tensor([row])).logits[0, 0].item() for row in rows]


def write_expected(folder, model, rows):
    peers = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    single = rewards(model, rows)
    double = rewards(model.double(), rows)
    text = json.dumps({"peers": peers, "input_ids": rows, "rewards": single, "rewards_f64": double})
    (folder / "expected.json").write_text(text)


def write_case(folder, model, rows, dtype):
    if folder.exists():
        shutil.rmtree(folder)
    model.save_pretrained(folder)
    # the stored element type is the case's; the rewards are of these weights in float32
    tensors = {key: value.to(dtype) for key, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_expected(folder, model, rows)


def write_pytorch_bin(root):
    """The case `llama` as torch.save writes it, in two shards."""
    folder = root / "llama_bin"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(root / "llama" / "config.json", folder)
    tensors = load_file(root / "llama" / "model.safetensors")
    names = sorted(tensors)
    shards = {f"pytorch_model-{i + 1:05}-of-00002.bin": names[i::2] for i in range(2)}
    for file, keys in shards.items():
        torch.save({key: tensors[key] for key in keys}, folder / file)
    index = {"metadata": {}, "weight_map": {key: file for file, keys in shards.items() for key in keys}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2))


def write_adapter(root, name, dora):
    """An adapter for the case `llama`, with the rewards of peft's own merge."""
    model = LlamaForSequenceClassification.from_pretrained(root / "llama", attn_implementation="eager").eval()
    torch.manual_seed(7)
    config = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=6, use_dora=dora, use_rslora=not dora,
                        target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
                        rank_pattern={"v_proj": 2}, alpha_pattern={"layers.1.self_attn.q_proj": 3})
    adapted = get_peft_model(model, config).eval()
    for key, parameter in adapted.named_parameters():
        if "lora_B" in key or "modules_to_save" in key:
            parameter.data = torch.randn_like(parameter) * 0.2
    folder = root / name
    if folder.exists():
        shutil.rmtree(folder)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "llama"
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2))
    write_expected(folder, adapted.merge_and_unload().eval(), sequences(5))


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/goldens/model"
    root.mkdir(parents=True, exist_ok=True)
    for index, (name, (family, overrides, dtype)) in enumerate(CASES.items()):
        write_case(root / name, make_model(family, overrides, dtype, seed=index), sequences(index), dtype)
    write_pytorch_bin(root)
    write_adapter(root, "llama_lora", dora=False)
    write_adapter(root, "llama_dora", dora=True)


if __name__ == "__main__":
    main()
