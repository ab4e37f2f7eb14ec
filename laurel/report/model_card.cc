#include "laurel/report/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "laurel/base/progress.h"
#include "laurel/base/yaml_text.h"
#include "laurel/report/html.h"

namespace laurel::report {
namespace {

using schema::CardRevision;
using schema::LicenseFacts;
using schema::ModelCard;

constexpr std::string_view kRewardBench2Citation =
    R"(@misc{malik2025rewardbench2advancingreward,
      title={RewardBench 2: Advancing Reward Model Evaluation},
      author={Saumya Malik and Valentina Pyatkin and Sander Land and Jacob Morrison and Noah A. Smith and Hannaneh Hajishirzi and Nathan Lambert},
      year={2025},
      eprint={2506.01937},
      archivePrefix={arXiv},
      primaryClass={cs.CL},
      url={https://arxiv.org/abs/2506.01937},
})";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

std::string repo_link(const std::string& hub_name, std::string_view kind = "") {
  return fmt::format("[{0}](https://huggingface.co/{1}{0})", hub_name, kind);
}

std::string base_text(const schema::CardBase& base) {
  return base.hub_name.empty() ? escape_markdown(base.title) : repo_link(base.hub_name);
}

std::string bases_text(const ModelCard& card) {
  std::vector<std::string> names;
  for (const auto& base : card.bases) names.push_back(base_text(base));
  return joined(names);
}

// "apache-2.0", with its name and link where given; "not given" without one.
std::string license_text(const LicenseFacts& facts) {
  if (facts.license.empty()) return "not given";
  std::string text = facts.license_name.empty() ? facts.license : facts.license_name;
  text = escape_markdown(text);
  return facts.license_link.empty() ? text : fmt::format("[{}]({})", text, facts.license_link);
}

std::string title_text(const ModelCard& card) {
  if (!card.text.title.empty()) return escape_markdown(card.text.title);
  return escape_markdown(card.repo_id.substr(card.repo_id.find('/') + 1));
}

std::string summary_text(const ModelCard& card) {
  const std::size_t others = card.revisions.size() - 1;
  std::string text = card.text.summary.empty() ? "" : card.text.summary + "\n\n";
  text += fmt::format(
      "Reward models trained from {}. Each gives a conversation one number; of two answers to the "
      "same prompt, the one with the higher number is the better one to the model. Numbers of "
      "different revisions are not comparable.\n\n",
      bases_text(card));
  if (others == 0) return text;
  text += fmt::format(
      "`main` is one of {} models of this repository. The other {} under the numbers in the table "
      "below: the same recipe with other data and hyperparameters, for the study of what a "
      "benchmark's score says about the use of a reward model.\n\n",
      card.revisions.size(), others == 1 ? "one is" : fmt::format("{} are", others));
  return text;
}

std::string licenses_summary(const ModelCard& card) {
  if (!card.text.license.license.empty()) return license_text(card.text.license);
  std::vector<std::string> texts;
  for (const auto& base : card.bases) {
    const std::string text = license_text(base.license);
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return texts.empty() ? "not given" : joined(texts) + " (see below)";
}

std::string details(const ModelCard& card) {
  std::string text = "## Model details\n\n";
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("- **{}:** {}\n", name, value);
  };
  line("Developed by", escape_markdown(card.text.developed_by));
  line("Model type",
       card.revisions.front().is_adapter
           ? "LoRA adapter of a sequence classifier with one label, trained on "
             "preference pairs"
           : "sequence classifier with one label (`AutoModelForSequenceClassification`)"
             ", trained on preference pairs");
  line("Training code", card.laurel_version.empty() ? "Laurel" : "Laurel " + card.laurel_version);
  line("Language", escape_markdown(joined(card.text.language)));
  line("License", licenses_summary(card));
  line("Finetuned from", bases_text(card));
  line("Contact", escape_markdown(card.text.contact));
  return text + "\n";
}

std::string revisions_section(const ModelCard& card) {
  std::string text = "## Revisions\n\n" + revision_table(card) + "\n";
  const bool scored = std::any_of(card.revisions.begin(), card.revisions.end(),
                                  [](const auto& revision) { return revision.overall; });
  if (!scored) return text + "The models were not evaluated.\n\n";
  text += "Scores are percentages.";
  if (card.benchmark.name == "reward-bench-2") {
    text += " The first is the mean of the others; Ties is a weighted score of its own.";
  }
  return text + "\n\n";
}

std::string transformers_code(const ModelCard& card, const std::string& revision) {
  const bool is_adapter = card.revisions.front().is_adapter;
  const std::string package = is_adapter ? "peft" : "transformers";
  const std::string type =
      is_adapter ? "AutoPeftModelForSequenceClassification" : "AutoModelForSequenceClassification";
  std::string imports =
      is_adapter ? "from peft import " + type + "\nfrom transformers import AutoTokenizer\n"
                 : "from transformers import " + type + ", AutoTokenizer\n";
  return fmt::format(
      "With {}:\n\n```python\nimport torch\n{}\n"
      "name, revision = \"{}\", \"{}\"\n"
      "tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)\n"
      "model = {}.from_pretrained(name, revision=revision, num_labels=1).eval()\n\n"
      "conversation = [\n"
      "    {{\"role\": \"user\", \"content\": \"What is 2 + 2?\"}},\n"
      "    {{\"role\": \"assistant\", \"content\": \"4\"}},\n"
      "]\n"
      "ids = tokenizer.apply_chat_template(conversation, return_tensors=\"pt\")\n"
      "with torch.no_grad():\n"
      "    print(model(input_ids=ids).logits[0, 0].item())\n"
      "```\n\n",
      package, imports, card.repo_id, revision, type);
}

std::string laurel_code(const ModelCard& card, const std::string& revision) {
  std::string text = fmt::format(
      "With Laurel, where `rows.jsonl` has lines like `{{\"prompt\": \"What is 2 + 2?\", "
      "\"completions\": [\"4\", \"5\"]}}`:\n\n"
      "```sh\nlaurel score --model {}@{} --input rows.jsonl --output rewards.jsonl\n```\n\n",
      card.repo_id, revision);
  if (card.revisions.front().is_adapter) {
    text +=
        "The adapter is merged into its base, which must be at hand under the name in "
        "`adapter_config.json`.\n\n";
  }
  return text;
}

std::string use_section(const ModelCard& card) {
  const std::string revision = card.revisions.back().revision;
  std::string text = "## How to use\n\n";
  if (card.revisions.size() > 1) {
    text +=
        fmt::format("Without a revision, `main` is loaded; here it is revision {}.\n\n", revision);
  }
  return text + transformers_code(card, revision) + laurel_code(card, revision);
}

std::string quoted(const std::string& text) {
  std::string result = "  > ";
  for (const char c : text) {
    result += c;
    if (c == '\n') result += "  > ";
  }
  return result + "\n";
}

std::string license_item(const std::string& what, const LicenseFacts& facts) {
  std::string text =
      facts.license.empty()
          ? fmt::format("- {}: **no license is given**; ask its owner before use.\n", what)
          : fmt::format("- {}: {}.\n", what, license_text(facts));
  if (!facts.terms.empty()) {
    const std::size_t end = facts.terms.find_last_not_of('\n');
    text += "\n" + quoted(facts.terms.substr(0, end + 1)) + "\n";
  }
  return text;
}

std::string license_section(const ModelCard& card) {
  std::string text = "## License\n\n";
  if (!card.text.license.license.empty()) {
    text += license_item("These models", card.text.license);
  } else {
    text += "Each revision inherits the license and terms of its base model.\n\n";
  }
  for (const auto& base : card.bases) {
    text += license_item(fmt::format("Base model {}", base_text(base)), base.license);
  }
  if (!card.mixes.empty()) {
    text +=
        "\nThe training data have licenses and terms of their own, which may bind what is trained "
        "on them:\n\n";
  }
  for (const auto& mix : card.mixes) {
    std::vector<std::string> sources;
    for (const std::string& name : mix.datasets) sources.push_back(repo_link(name, "datasets/"));
    const std::string of = sources.empty() ? "" : fmt::format(" ({})", joined(sources));
    text += license_item(fmt::format("Training data {}{}", escape_markdown(mix.title), of),
                         mix.license);
  }
  return text + "\n";
}

std::string option_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : to_line(value);
}

// Options that say how, not where: no paths of the machine that trained.
std::string recipe_rows(const CardRevision& main) {
  static const std::set<std::string> kShown = {"learning-rate",
                                               "lr-scheduler-type",
                                               "warmup-steps",
                                               "warmup-ratio",
                                               "weight-decay",
                                               "adam-epsilon",
                                               "num-epochs",
                                               "max-steps",
                                               "max-length",
                                               "train-batch-size",
                                               "freeze-layers",
                                               "max-grad-norm",
                                               "dtype",
                                               "seed",
                                               "label-smoothing",
                                               "center-rewards-coefficient",
                                               "lora-r",
                                               "lora-alpha",
                                               "lora-rank",
                                               "lora-targets",
                                               "loss",
                                               "gradient-accumulation-steps"};
  std::string text;
  for (const auto& [name, value] : main.options.items()) {
    const bool is_off = value.is_null() || (value.is_number() && value.get<double>() == 0);
    if (!kShown.contains(name) || is_off) continue;
    text += fmt::format("| {} | {} |\n", name, escape_markdown(option_text(value)));
  }
  return text;
}

std::string training_section(const ModelCard& card) {
  const CardRevision& main = card.revisions.front();
  std::string text =
      "## Training\n\nBradley–Terry loss on pairs of a chosen and a rejected answer. `main`:\n\n"
      "| | |\n|---|---|\n";
  text += recipe_rows(main);
  if (main.num_rows > 0) text += fmt::format("| examples | {} |\n", format_count(main.num_rows));
  if (main.num_steps > 0) text += fmt::format("| steps | {} |\n", format_count(main.num_steps));
  if (main.num_tokens > 0) text += fmt::format("| tokens | {} |\n", format_count(main.num_tokens));
  return text + "\n";
}

std::string hours(double seconds) {
  return seconds < 36 ? fmt::format("{:.4f}", seconds / 3600)
                      : fmt::format("{:.2f}", seconds / 3600);
}

// A run counts once, however many revisions were cut from it at different epochs.
std::string compute_section(const ModelCard& card) {
  double seconds = 0, core_seconds = 0;
  std::set<std::string> counted;
  for (const CardRevision& revision : card.revisions) {
    if (!counted.insert(revision.training).second) continue;
    seconds += revision.seconds;
    core_seconds += revision.seconds * std::max(1, revision.num_threads);
  }
  if (seconds == 0) return "";
  return fmt::format("## Compute\n\nTraining took {} hours, {} core-hours, in {} run{}.\n\n",
                     hours(seconds), hours(core_seconds), counted.size(),
                     counted.size() == 1 ? "" : "s");
}

std::string citation_section(const ModelCard& card) {
  std::string text;
  const auto add = [&](std::string_view entry) {
    while (entry.ends_with('\n')) entry.remove_suffix(1);
    text += fmt::format("```bibtex\n{}\n```\n\n", entry);
  };
  if (!card.text.citation.empty()) add(card.text.citation);
  if (card.benchmark.name == "reward-bench-2") add(kRewardBench2Citation);
  return text.empty() ? "" : "## Citation\n\n" + text;
}

}  // namespace

std::string model_card(const ModelCard& card) {
  std::string text = "---\n" + to_yaml(card_front_matter(card)) + "---\n\n";
  text += fmt::format("# {}\n\n", title_text(card));
  text += summary_text(card) + details(card) + revisions_section(card) + use_section(card) +
          license_section(card) + training_section(card) + compute_section(card) +
          citation_section(card);
  text.pop_back();  // sections end with an empty line
  return text;
}

}  // namespace laurel::report
