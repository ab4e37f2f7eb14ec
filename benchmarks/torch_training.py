"""The plain loop that `laurel train` is compared with: LlamaForSequenceClassification in float32, padded on the right.

A step is what open-instruct's is: chosen rows then rejected rows in one padded batch, loss = mean of -log sigmoid(chosen -
rejected), AdamW over all parameters (betas 0.9 and 0.999, weight decay 0.01, eps 1e-5), a linear schedule to zero, no dropout.
"""

import time

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

PAD = 0  # <|endoftext|>: a token of its own that no rendered conversation of this tokenizer holds


def load(model_dir):
    """(model, tokenizer), ready to train."""
    # Before the model is built: its embedding never trains the row of the pad token that it is built with.
    config = AutoConfig.from_pretrained(model_dir, num_labels=1, pad_token_id=PAD, use_cache=False)
    model = AutoModelForSequenceClassification.from_pretrained(model_dir, config=config, dtype=torch.float32)
    return model.train(), AutoTokenizer.from_pretrained(model_dir)


def encode(tokenizer, messages):
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert PAD not in ids
    return ids


def padded(sequences):
    """input_ids and attention_mask, [sequences, longest]."""
    width = max(map(len, sequences))
    ids = torch.tensor([s + [PAD] * (width - len(s)) for s in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (width - len(s)) for s in sequences])
    return {"input_ids": ids, "attention_mask": mask}


def rewards(model, sequences):
    return model(**padded(sequences)).logits[:, 0]


def train(model, pairs, batch_size, learning_rate, on_step=lambda step, loss, seconds: None):
    """One epoch over `pairs` [(chosen ids, rejected ids)] in their order. Returns the loss of each step."""
    num_steps = len(pairs) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, eps=1e-5, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, num_steps)
    losses = []
    for step in range(num_steps):
        started = time.monotonic()
        batch = pairs[step * batch_size : (step + 1) * batch_size]
        values = rewards(model, [chosen for chosen, _ in batch] + [rejected for _, rejected in batch])
        loss = -torch.nn.functional.logsigmoid(values[: len(batch)] - values[len(batch) :]).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        on_step(step + 1, losses[-1], time.monotonic() - started)
    return losses


@torch.inference_mode()
def accuracy(model, pairs):
    """Share of pairs whose chosen side has the higher reward."""
    model.eval()
    return sum(bool(a > b) for a, b in (rewards(model, list(pair)) for pair in pairs)) / len(pairs)
