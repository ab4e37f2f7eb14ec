// Precise IF: a small writing task with one constraint. Candidates are drawn from one distribution
// and sorted by the verifier, so that only the constraint tells right from wrong.
#include <algorithm>
#include <array>

#include "laurel/base/error.h"
#include "laurel/base/json.h"
#include "laurel/bench/mini_parts.h"
#include "laurel/bench/mini_verifiers.h"

namespace laurel::bench {
namespace {

const std::vector<std::string> kTopics = {
    "gardening",   "chess",          "the ocean",   "baking bread",  "winter",
    "music",       "hiking",         "photography", "city life",     "old books",
    "cycling",     "the weather",    "coffee",      "painting",      "travel",
    "swimming",    "the night sky",  "cooking",     "friendship",    "poetry",
    "running",     "the forest",     "board games", "spring",        "learning languages",
    "knitting",    "astronomy",      "tea",         "sailing",       "the desert",
    "woodworking", "small villages", "autumn",      "theater",       "trains",
    "camping",     "bird watching",  "singing",     "the mountains", "old maps"};

const std::vector<std::string> kSentences = {"{T} can make an ordinary day feel special.",
                                             "Many people find that {t} helps them relax.",
                                             "I have always been curious about {t}.",
                                             "There is more to {t} than most of us think.",
                                             "{T} teaches patience, care and attention.",
                                             "With a little time, anyone can enjoy {t}.",
                                             "My best memories are connected with {t}.",
                                             "{T} never gets boring.",
                                             "Some say that {t} is an art.",
                                             "For me, {t} is a source of joy and calm.",
                                             "You do not need much to begin with {t}.",
                                             "{T} brings people together.",
                                             "Every year, {t} surprises me again.",
                                             "It is easy to forget how beautiful {t} can be.",
                                             "{T} has a long history, and it still matters today.",
                                             "Nothing clears the mind quite like {t}."};

const std::vector<std::string> kWords = {
    "morning", "simple",  "quiet",   "people", "time", "memory", "patience",  "light",
    "always",  "history", "curious", "joy",    "art",  "calm",   "beautiful", "year"};

const std::vector<std::string> kTasks = {
    "Write something short about {t}.", "Tell me a little about {t}.",
    "Give me a brief note on {t}.", "Say a few words about {t}."};

// Constraint, how the prompt says it.
struct Instruction {
  std::string category;
  Constraint constraint;
  std::string text;
};

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

std::vector<std::string> some_sentences(Random& random, const std::string& topic,
                                        std::int64_t count) {
  std::vector<std::string> chosen = kSentences;
  random.shuffle(chosen);
  chosen.resize(static_cast<std::size_t>(count));
  for (std::string& sentence : chosen)
    sentence = fill(sentence, {{"t", topic}, {"T", capitalized(topic)}});
  return chosen;
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

std::string upper_case(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return text;
}

std::string plain_note(Random& random, const std::string& topic) {
  return join(some_sentences(random, topic, random.between(1, 3)), " ");
}

// A text that may or may not do what the instruction says; about as often right as wrong.
std::string candidate(Random& random, const Constraint& constraint, const std::string& topic) {
  std::string note = plain_note(random, topic);
  switch (constraint.kind) {
    case ConstraintKind::kLowercase:
    case ConstraintKind::kUppercase: {
      const std::size_t form = random.below(3);
      if (form == 0) return lower_case(note);
      if (form == 1) return upper_case(note);
      return note;
    }
    case ConstraintKind::kBulletCount:
      return "- " + join(some_sentences(random, topic, random.between(1, 5)), "\n- ");
    case ConstraintKind::kSentenceCount:
      return join(some_sentences(random, topic, random.between(1, 4)), " ");
    case ConstraintKind::kIncludeWord:
    case ConstraintKind::kExcludeWord:
      if (random.chance(1, 2))
        note += fmt::format(" The word that comes to mind is {}.", random.pick(kWords));
      if (random.chance(1, 3)) note += fmt::format(" I think of {} too.", constraint.word);
      return note;
    case ConstraintKind::kStartsWith:
      return (random.chance(1, 3) ? constraint.word : upper_case(random.pick(kWords))) + ": " +
             note;
    case ConstraintKind::kEndsWith:
      return note + " So much for " +
             (random.chance(1, 3) ? constraint.word : random.pick(kWords)) + ".";
    case ConstraintKind::kJsonWithKey: {
      const std::string key = random.chance(1, 2) ? constraint.word : random.pick(kWords);
      const std::string value = Json(note).dump();
      if (random.chance(1, 4)) return fmt::format("{}: {}", key, note);
      return random.chance(1, 4) ? fmt::format("{{{}: {}", key, value)
                                 : fmt::format("{{\"{}\": {}}}", key, value);
    }
    case ConstraintKind::kWordCount:
    case ConstraintKind::kMaxWords:
    case ConstraintKind::kNoCommas:
      return note;
  }
  return note;
}

Instruction pick_instruction(Random& random, MiniSplit split, const std::string& topic) {
  const std::string& word = pick_entry(random, split, kWords);
  const std::string upper = upper_case(word);
  const std::int64_t few = random.between(2, 4);
  // As long as a plain note happens to be, so that wrong answers are shorter as often as longer.
  const std::int64_t words = count_words(plain_note(random, topic));
  switch (random.below(12)) {
    case 0:
      return {"word count",
              {ConstraintKind::kWordCount, words, ""},
              fmt::format("Use exactly {} words.", words)};
    case 1:
      return {"word limit",
              {ConstraintKind::kMaxWords, words, ""},
              fmt::format("Use at most {} words.", words)};
    case 2:
      return {"sentence count",
              {ConstraintKind::kSentenceCount, few, ""},
              fmt::format("Write exactly {} sentences.", few)};
    case 3:
      return {
          "bullets",
          {ConstraintKind::kBulletCount, few, ""},
          fmt::format("Answer with exactly {} bullet points, each beginning with \"- \".", few)};
    case 4:
      return {"lower case", {ConstraintKind::kLowercase, 0, ""}, "Use only lowercase letters."};
    case 5:
      return {"upper case",
              {ConstraintKind::kUppercase, 0, ""},
              "Write everything in capital letters."};
    case 6:
      return {"include",
              {ConstraintKind::kIncludeWord, 0, word},
              fmt::format("Include the word \"{}\".", word)};
    case 7:
      return {"exclude",
              {ConstraintKind::kExcludeWord, 0, word},
              fmt::format("Do not use the word \"{}\".", word)};
    case 8:
      return {"no commas", {ConstraintKind::kNoCommas, 0, ""}, "Do not use any commas."};
    case 9:
      return {"start",
              {ConstraintKind::kStartsWith, 0, upper},
              fmt::format("Begin your answer with the word {}.", upper)};
    case 10:
      return {"end",
              {ConstraintKind::kEndsWith, 0, word},
              fmt::format("The last word must be \"{}\".", word)};
    default:
      return {
          "json",
          {ConstraintKind::kJsonWithKey, 0, word},
          fmt::format("Answer with a JSON object that has the key \"{}\" and nothing else.", word)};
  }
}

// Draws candidates until there are one right and three different wrong ones; false if that takes
// too long.
bool draw_answers(Random& random, const Constraint& constraint, const std::string& topic,
                  MiniRow& row) {
  for (int attempt = 0; attempt < 400; ++attempt) {
    std::string text = candidate(random, constraint, topic);
    if (satisfies(text, constraint)) {
      if (row.chosen.empty()) row.chosen.push_back(std::move(text));
    } else if (row.rejected.size() < 3 &&
               std::find(row.rejected.begin(), row.rejected.end(), text) == row.rejected.end()) {
      row.rejected.push_back(std::move(text));
    }
    if (row.chosen.size() == 1 && row.rejected.size() == 3) return true;
  }
  return false;
}

}  // namespace

MiniRow make_precise_if(Random& random, MiniSplit split) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string& topic = pick_entry(random, split, kTopics);
    const Instruction instruction = pick_instruction(random, split, topic);
    MiniRow row;
    row.category = instruction.category;
    row.prompt = fill(random.pick(kTasks), {{"t", topic}}) + " " + instruction.text;
    if (draw_answers(random, instruction.constraint, topic, row)) return row;
  }
  throw InternalError("laurel mini: no answers found for a format constraint");
}

}  // namespace laurel::bench
