#!/usr/bin/env python3
"""Makes tests/goldens/gradients: tiny random reward models, preference pairs, and the gradient of every trained tensor.

Peers: torch 2.11.0, transformers 4.57.6, peft 0.21.2, safetensors. Seeds: the case's index. Each case is a directory with
config.json and model.safetensors (bfloat16) as save_pretrained writes them, gradients.safetensors, and expected.json: token
ids of the sequences, the pairs' indexes into them, loss, rewards, and the largest relative error of the peer's own float32
gradients. Gradients are of the mean Bradley-Terry loss, by autograd in float64, eager attention, over a batch padded
on the right (with a sliding window: one sequence at a time). The case with low-rank adapters has adapter.safetensors too: their values, and the head's. Usage: tools/goldens/gradients.py [OUTPUT_DIR]
"""
import copy
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

PAD = 3
COMMON = dict(vocab_size=48, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=512, num_labels=1, pad_token_id=PAD,
              attn_implementation="eager")
LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)
YARN_ROPE = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)

CASES = {
    "llama": ("llama", dict()),
    "llama_bias_head_dim": ("llama", dict(attention_bias=True, mlp_bias=True, head_dim=8, num_key_value_heads=1)),
    "llama_rope_llama3": ("llama", dict(rope_theta=500000.0, rope_scaling=LLAMA3_ROPE)),
    "llama_rope_yarn": ("llama", dict(rope_scaling=YARN_ROPE)),
    "llama_lora": ("llama", dict(attention_bias=True, mlp_bias=True)),
    "qwen2": ("qwen2", dict(rope_theta=1000000.0)),
    "qwen2_window": ("qwen2", dict(use_sliding_window=True, sliding_window=9, max_window_layers=1)),
}


def make_model(family, overrides, seed):
    torch.manual_seed(seed)
    config_class, model_class = {"llama": (LlamaConfig, LlamaForSequenceClassification),
                                 "qwen2": (Qwen2Config, Qwen2ForSequenceClassification)}[family]
    model = model_class(config_class(**{**COMMON, **overrides})).eval()
    for name, parameter in model.named_parameters():  # larger than the default, so that every part matters
        scale, offset = (0.2, 1.0) if "norm" in name else (0.3, 0.0)
        parameter.data = (torch.randn_like(parameter) * scale + offset).to(torch.bfloat16).float()
    return model


def make_pairs(seed):
    """Pairs that share prompts within and across them; a sequence that is the beginning of another; one that is in two pairs."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(length):
        return torch.randint(4, 48, (length,), generator=generator).tolist()

    prompt = tokens(40)
    best = prompt + tokens(30)
    sequences = [best, prompt + tokens(5), prompt[:25] + tokens(70), prompt[:25] + tokens(3), best[:-6], tokens(33)]
    return sequences, [[0, 1], [2, 3], [0, 4], [4, 5]]


def rewards_of(model, sequences):
    if getattr(model.config, "use_sliding_window", False):  # a padded row whose window holds pads only is NaN there
        return torch.stack([model(input_ids=torch.tensor([row])).logits[0, 0] for row in sequences])
    longest = max(map(len, sequences))
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in sequences])
    return model(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]


def loss_of(model, sequences, pairs):
    rewards = rewards_of(model, sequences)
    margins = torch.stack([rewards[chosen] - rewards[rejected] for chosen, rejected in pairs])
    return -torch.nn.functional.logsigmoid(margins).mean(), rewards


def checkpoint_name(name):
    return name.removeprefix("base_model.model.").replace(".default", "").replace(".modules_to_save", "")


def gradients_of(model, sequences, pairs):
    model.zero_grad()
    loss, rewards = loss_of(model, sequences, pairs)
    loss.backward()
    gradients = {checkpoint_name(name): parameter.grad.detach().clone()
                 for name, parameter in model.named_parameters() if parameter.grad is not None}
    return loss.item(), rewards.tolist(), gradients


def write_expected(folder, model, seed):
    sequences, pairs = make_pairs(seed)
    _, _, single = gradients_of(model, sequences, pairs)
    loss, rewards, double = gradients_of(copy.deepcopy(model).double(), sequences, pairs)
    errors = {name: ((single[name].double() - value).norm() / value.norm()).item() for name, value in double.items()}
    save_file({name: value.float().contiguous() for name, value in double.items()}, folder / "gradients.safetensors")
    peers = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    (folder / "expected.json").write_text(json.dumps({
        "peers": peers, "sequences": sequences, "pairs": pairs, "loss": loss, "rewards": rewards,
        "peer_error": max(errors.values())}))


def add_adapters(folder, model):
    """Low-rank adapters on every linear layer of the second layer, and a new head."""
    config = LoraConfig(task_type="SEQ_CLS", r=3, lora_alpha=5, layers_to_transform=[1],
                        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    adapted = get_peft_model(model, config).eval()
    trained = {name: parameter for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    for name, parameter in trained.items():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter) * 0.3
    save_file({checkpoint_name(name): parameter.data.contiguous() for name, parameter in trained.items()},
              folder / "adapter.safetensors")
    return adapted


def write_case(folder, seed, family, overrides):
    if folder.exists():
        shutil.rmtree(folder)
    model = make_model(family, overrides, seed)
    model.save_pretrained(folder)
    tensors = {key: value.to(torch.bfloat16) for key, value in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if folder.name.endswith("lora"):
        model = add_adapters(folder, model)
    write_expected(folder, model, seed)


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tests/goldens/gradients"
    root.mkdir(parents=True, exist_ok=True)
    for seed, (name, (family, overrides)) in enumerate(CASES.items()):
        write_case(root / name, seed, family, overrides)


if __name__ == "__main__":
    main()
