#!/usr/bin/env python3
"""TRL's RewardTrainer as a process of its own: trains a few steps in the data's order and prints what it took, as JSON.

A process of its own, so that its peak memory is its own. `tokens` are real tokens: padding not counted.
"""

import argparse
import json
import time

import datasets
import torch
import transformers
import trl


class InOrder(trl.RewardTrainer):
    def _get_train_sampler(self, *arguments, **options):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class StepTimes(transformers.TrainerCallback):
    def __init__(self):
        self.seconds, self.started = [], None

    def on_step_begin(self, *arguments, **options):
        self.started = time.monotonic()

    def on_step_end(self, *arguments, **options):
        self.seconds.append(time.monotonic() - self.started)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", required=True)
    options.add_argument("--data", required=True, help="JSONL of chosen and rejected message lists")
    options.add_argument("--output-dir", required=True)
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--max-length", type=int, default=512)
    options.add_argument("--learning-rate", type=float, default=2e-5)
    options.add_argument("--gradient-checkpointing", action="store_true")
    options = options.parse_args()
    with open(options.data, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pairs = datasets.Dataset.from_list([{"chosen": row["chosen"], "rejected": row["rejected"]} for row in rows])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=1, dtype=torch.float32)
    arguments = trl.RewardConfig(
        output_dir=options.output_dir, per_device_train_batch_size=options.batch_size, max_length=options.max_length,
        learning_rate=options.learning_rate, gradient_checkpointing=options.gradient_checkpointing, bf16=False, use_cpu=True,
        num_train_epochs=1, logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, adam_epsilon=1e-5,
        weight_decay=0.01, max_grad_norm=0, pad_token="<|endoftext|>")
    times = StepTimes()
    trainer = InOrder(model=model, args=arguments, train_dataset=pairs, callbacks=[times],
                      processing_class=transformers.AutoTokenizer.from_pretrained(options.model))
    trainer.train()
    tokens = [len(row["chosen_input_ids"]) + len(row["rejected_input_ids"]) for row in trainer.train_dataset]
    steps = [sum(tokens[i : i + options.batch_size]) for i in range(0, len(tokens), options.batch_size)]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(json.dumps({"seconds": times.seconds, "tokens": steps, "losses": losses, "trl": trl.__version__,
                      "torch": torch.__version__, "transformers": transformers.__version__,
                      "torch threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
