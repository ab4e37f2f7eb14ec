"""Scoring with transformers: the loop of reward-bench's v2 runner, texts in the data's order or sorted by length."""

import time

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class Peer:
    def __init__(self, model_dir, threads=0):
        if threads:
            torch.set_num_threads(threads)
        transformers.logging.set_verbosity_error()
        self.tokenizer = AutoTokenizer.from_pretrained(model_dir)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.tokenizer.padding_side = "right"
        self.model = AutoModelForSequenceClassification.from_pretrained(model_dir, num_labels=1, dtype=torch.float32).eval()
        if self.model.config.pad_token_id is None:
            self.model.config.pad_token_id = self.tokenizer.pad_token_id

    def render(self, messages):
        return self.tokenizer.apply_chat_template(messages, tokenize=False)

    def num_tokens(self, text):
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def score(self, texts, batch_size, is_sorted=False, max_length=2048):
        """(rewards in the texts' order, seconds, padded tokens)."""
        order = list(range(len(texts)))
        if is_sorted:
            order.sort(key=lambda i: self.num_tokens(texts[i]))
        rewards, padded = [0.0] * len(texts), 0
        started = time.monotonic()
        with torch.inference_mode():
            for begin in range(0, len(texts), batch_size):
                places = order[begin : begin + batch_size]
                inputs = self.tokenizer([texts[i] for i in places], truncation=True, max_length=max_length, padding=True,
                                        add_special_tokens=False, return_tensors="pt")
                padded += inputs["input_ids"].numel()
                for place, reward in zip(places, self.model(**inputs).logits[:, 0].float().tolist()):
                    rewards[place] = reward
        return rewards, time.monotonic() - started, padded
