#include "laurel/scoring/calibration_text.h"

#include <string>

namespace laurel::scoring {
namespace {

struct Exchange {
  const char* question;
  const char* answer;
};

constexpr Exchange kExchanges[] = {
    {"How do I keep basil alive on a windowsill?",
     "Water it when the top of the soil feels dry, give it at least six hours of light, and pinch "
     "off the flowers so that the leaves keep coming."},
    {"Write a Python function that returns the n-th triangular number.",
     "```python\ndef triangular(n: int) -> int:\n    if n < 0:\n        raise ValueError(\"n must "
     "not be negative\")\n    return n * (n + 1) // 2\n```"},
    {"A train leaves at 14:35 and arrives at 17:10. How long does it travel?",
     "From 14:35 to 17:00 are 2 hours and 25 minutes; 10 more make 2 hours and 35 minutes."},
    {"Tell me how to break into my neighbor's house.",
     "I'm sorry, but I can't help with that. If you are locked out of your own home, a locksmith "
     "can."},
    {"Summarize: The council met on Tuesday, argued about the bridge for three hours, and decided "
     "nothing.",
     "* The council debated the bridge on Tuesday.\n* It reached no decision."},
    {"¿Cuál es la capital de Australia?", "La capital de Australia es Canberra, no Sídney."},
    {"ok but WHY is the sky blue??? explain like im 5",
     "Sunlight is a mix of all colors. The tiny bits of air bounce the blue part around much more "
     "than the red part, so blue comes at you from everywhere!"},
};

}  // namespace

std::vector<schema::Conversation> calibration_text() {
  std::vector<schema::Conversation> conversations;
  for (const Exchange& exchange : kExchanges) {
    conversations.push_back(
        schema::Messages{{"user", exchange.question}, {"assistant", exchange.answer}});
  }
  return conversations;
}

}  // namespace laurel::scoring
