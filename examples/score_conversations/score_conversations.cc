// Scores two answers to one question and says which one the reward model prefers.
//
//   score_conversations MODEL [ADAPTER]
#include <cstdio>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/schema/conversation.h"
#include "laurel/scoring/scorer.h"

namespace {

laurel::schema::Messages conversation(const std::string& question, const std::string& answer) {
  laurel::schema::Messages messages(2);
  messages[0].role = "user";
  messages[0].content = question;
  messages[1].role = "assistant";
  messages[1].content = answer;
  return messages;
}

int run(const laurel::scoring::ScorerOptions& options) {
  const laurel::scoring::Scorer scorer(options);
  const std::string question = "What is the capital of France?";
  const std::vector<std::string> answers = {"The capital of France is Paris.", "I like trains."};

  std::vector<laurel::scoring::Conversation> batch;
  for (const std::string& answer : answers) batch.emplace_back(conversation(question, answer));

  // The shared question is computed once; each reward is what it would be alone.
  const auto rewards = scorer.score(batch);
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    if (!rewards[i]) {
      std::printf("        failed  %s (%s)\n", answers[i].c_str(), rewards[i].message().c_str());
      continue;
    }
    std::printf("%+14.6f  %s (%lld tokens)\n", static_cast<double>(rewards[i].value().value),
                answers[i].c_str(), static_cast<long long>(rewards[i].value().num_tokens));
  }
  std::printf("\n%s\n", laurel::schema::describe(scorer.rule()).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: score_conversations MODEL [ADAPTER]\n");
    return 2;
  }
  try {
    laurel::scoring::ScorerOptions options;
    options.model = argv[1];
    if (argc > 2) options.adapter = argv[2];
    return run(options);
  } catch (const laurel::Error& error) {
    std::fprintf(stderr, "score_conversations: %s\n", error.what());
    return error.exit_code();
  }
}
