// Ties: questions with several right answers, each with a narrower reference question that has
// exactly one.
#include "laurel/bench/mini_parts.h"

namespace laurel::bench {
namespace {

// clang-format off
struct TiesTopic {
  std::string category;
  std::string ask;                   // several right answers: all members
  std::string ref_ask;               // one right answer
  std::string ref_answer;            // one of the members
  std::vector<std::string> members;
  std::vector<std::string> others;   // wrong for both questions
};

const std::vector<TiesTopic> kTopics = {
    {"weekday", "Name a day of the week.", "Which day comes right after Monday?", "Tuesday",
     {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
     {"January", "April", "August", "October", "Summer", "Midnight", "Easter", "Morning", "Holiday", "Weekend"}},
    {"planet", "Name a planet of our solar system.", "Which planet is closest to the Sun?", "Mercury",
     {"Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"},
     {"The Moon", "Sirius", "Titan", "Polaris", "Halley", "Orion", "Europa", "The Sun", "Andromeda", "Ceres"}},
    {"continent", "Name a continent.", "On which continent is the Sahara?", "Africa",
     {"Africa", "Asia", "Europe", "North America", "South America", "Antarctica", "Australia"},
     {"Canada", "London", "The Pacific", "Greenland", "Siberia", "Japan", "The Alps", "Texas", "Egypt", "Sicily"}},
    {"season", "Name one of the four seasons.", "Which season follows winter?", "spring",
     {"spring", "summer", "autumn", "winter"},
     {"July", "Tuesday", "evening", "Christmas", "rain", "sunrise", "December", "noon", "harvest", "snow", "holiday", "week"}},
    {"chess piece", "Name a chess piece.", "Which chess piece moves in an L shape?", "knight",
     {"king", "queen", "rook", "bishop", "knight", "pawn"},
     {"duke", "ace", "joker", "goalkeeper", "tower block", "dice", "diamond", "club", "referee", "baker"}},
    {"vowel", "Name a vowel of the English alphabet.", "Which vowel is the first letter of the alphabet?", "A",
     {"A", "E", "I", "O", "U"},
     {"B", "C", "D", "F", "G", "K", "M", "P", "R", "S", "T", "X"}},
    {"ocean", "Name an ocean.", "Which ocean lies between Europe and North America?", "the Atlantic",
     {"the Atlantic", "the Pacific", "the Indian Ocean", "the Arctic Ocean", "the Southern Ocean"},
     {"the Nile", "the Sahara", "the Alps", "Lake Geneva", "the Amazon", "the Danube", "Mount Everest", "Iceland",
      "the Caspian Sea", "the Rhine"}},
    {"rainbow color", "Name a color of the rainbow.", "Which color do you get by mixing blue and yellow?", "green",
     {"red", "orange", "yellow", "green", "blue", "violet"},
     {"black", "white", "brown", "gray", "pink", "beige", "silver", "loud", "round", "gold"}},
    {"even number", "Name an even number below 20.", "Which even number is prime?", "2",
     {"2", "4", "6", "8", "10", "12", "14", "16", "18"},
     {"3", "5", "7", "9", "11", "13", "15", "17", "21", "25"}},
    {"string instrument", "Name a string instrument.", "Which string instrument has 47 strings and is plucked by two hands?", "harp",
     {"violin", "cello", "guitar", "harp", "viola", "banjo", "lute"},
     {"trumpet", "flute", "drum", "oboe", "tuba", "clarinet", "triangle", "trombone", "whistle", "gong"}},
    {"bird", "Name a bird.", "Which bird is the largest in the world?", "ostrich",
     {"eagle", "sparrow", "ostrich", "parrot", "swan", "crow", "robin", "stork"},
     {"bat", "trout", "lizard", "butterfly", "squirrel", "frog", "beetle", "shark", "mouse", "snake"}},
    {"prime number", "Name a prime number below 30.", "Which prime number comes right after 7?", "11",
     {"2", "3", "5", "7", "11", "13", "17", "19", "23", "29"},
     {"4", "6", "9", "12", "15", "21", "25", "27", "8", "1"}},
    {"fruit", "Name a fruit.", "Which long yellow fruit is peeled before it is eaten?", "banana",
     {"apple", "banana", "cherry", "pear", "mango", "grape", "peach", "plum"},
     {"carrot", "potato", "spinach", "cheese", "bread", "onion", "rice", "cabbage", "salt", "leek"}},
    {"month", "Name a month of the year.", "Which month is the shortest?", "February",
     {"January", "February", "March", "April", "May", "June", "July", "August", "October"},
     {"Monday", "Friday", "winter", "noon", "Easter", "spring", "Sunday", "century", "sunset", "week"}},
    {"mammal", "Name a mammal.", "Which mammal can truly fly?", "bat",
     {"bat", "whale", "dog", "horse", "mouse", "bear", "cow"},
     {"eagle", "salmon", "frog", "spider", "turtle", "snake", "bee", "penguin", "lizard", "octopus"}},
    {"card suit", "Name a suit of playing cards.", "Which card suit is associated with love?", "hearts",
     {"hearts", "spades", "diamonds", "clubs"},
     {"crowns", "swords", "stars", "moons", "rings", "bishops", "kings", "roses", "arrows", "keys", "cups", "dots"}},
    {"metal", "Name a metal.", "Which metal is liquid at room temperature?", "mercury",
     {"iron", "gold", "silver", "copper", "mercury", "tin", "zinc", "lead"},
     {"oxygen", "wood", "glass", "paper", "granite", "helium", "rubber", "cotton", "sand", "wax"}},
    {"tree", "Name a tree.", "Which tree grows from an acorn?", "oak",
     {"oak", "pine", "birch", "maple", "willow", "beech", "ash"},
     {"tulip", "rose", "moss", "grass", "daisy", "clover", "mushroom", "fern", "wheat", "lily"}},
    {"sense", "Name one of the five senses.", "Which sense do we use our ears for?", "hearing",
     {"sight", "hearing", "smell", "taste", "touch"},
     {"hunger", "music", "sleep", "anger", "speech", "memory", "hope", "walking", "color", "laughter"}},
    {"European country", "Name a country in Europe.", "Which European country is shaped like a boot?", "Italy",
     {"Italy", "France", "Spain", "Poland", "Norway", "Greece", "Austria", "Portugal"},
     {"Brazil", "Japan", "Kenya", "Canada", "India", "Peru", "Vietnam", "Egypt", "Chile", "Nepal"}},
    {"insect", "Name an insect.", "Which insect makes honey?", "bee",
     {"bee", "ant", "fly", "beetle", "butterfly", "wasp", "moth"},
     {"spider", "worm", "snail", "crab", "mouse", "sparrow", "scorpion", "trout", "lizard", "toad"}},
    {"body part", "Name a part of the human body.", "Which part of the body do we see with?", "eye",
     {"eye", "hand", "knee", "shoulder", "foot", "nose", "elbow"},
     {"wing", "tail", "fin", "hoof", "branch", "wheel", "feather", "shell", "antenna", "root"}},
    {"vegetable", "Name a vegetable.", "Which orange root vegetable do rabbits like?", "carrot",
     {"carrot", "potato", "onion", "spinach", "cabbage", "leek", "broccoli"},
     {"apple", "steak", "bread", "cherry", "butter", "salmon", "sugar", "milk", "pear", "honey"}},
    {"vehicle", "Name a vehicle.", "Which vehicle runs on two wheels and pedals?", "bicycle",
     {"car", "bicycle", "bus", "train", "truck", "tram", "ship"},
     {"chair", "road", "bridge", "engine oil", "garage", "ticket", "tunnel", "helmet", "tree", "lamp"}},
    {"shape", "Name a geometric shape.", "Which shape has exactly three sides?", "triangle",
     {"triangle", "square", "circle", "rectangle", "hexagon", "pentagon", "oval"},
     {"meter", "purple", "ruler", "seven", "liter", "heavy", "pencil", "sum", "hour", "half"}},
    {"programming language", "Name a programming language.", "Which programming language is named after a snake or a comedy group?", "Python",
     {"Python", "Java", "C++", "Rust", "Go", "Haskell", "Perl"},
     {"English", "Linux", "Firefox", "Excel", "Intel", "Bluetooth", "Latin", "Keyboard", "Router", "Chrome"}},
    {"profession", "Name a profession.", "Who repairs teeth?", "dentist",
     {"dentist", "baker", "teacher", "nurse", "pilot", "lawyer", "carpenter"},
     {"hammer", "school", "uncle", "hospital", "neighbor", "winter", "office", "uniform", "salary", "twin"}},
    {"drink", "Name something to drink.", "Which drink is made from roasted beans?", "coffee",
     {"coffee", "tea", "water", "milk", "lemonade", "cocoa", "juice"},
     {"bread", "sand", "cheese", "salad", "soap", "paint", "pasta", "steel", "egg", "gravel"}}};

const std::vector<std::string> kStyles = {"{a}", "{A}.", "One answer is {a}.", "I would say {a}.", "{A}, for example."};
const std::vector<std::string> kRefStyles = {"{a}", "{A}.", "The answer is {a}.", "I would say {a}.", "It is {a}."};
const std::vector<std::string> kLeads = {"", "", "Please answer briefly. ", "Quick question. ", "Just one answer, please. "};
// clang-format on

std::string styled(const std::string& style, const std::string& answer) {
  return fill(style, {{"a", answer}, {"A", capitalized(answer)}});
}

}  // namespace

std::pair<MiniRow, MiniRow> make_ties(Random& random, MiniSplit split, std::int64_t number) {
  // Topics in turn, so that a small test meets as many as it can; every second one is for testing.
  const std::size_t turn = static_cast<std::size_t>(number) % (kTopics.size() / 2);
  const TiesTopic& topic = kTopics[2 * turn + (split == MiniSplit::kTest ? 1 : 0)];
  const std::string& lead = random.pick(kLeads);
  MiniRow tied, ref;
  tied.category = ref.category = topic.category;
  tied.prompt = lead + topic.ask;
  ref.prompt = lead + topic.ref_ask;
  const std::string style = random.pick(kStyles), ref_style = random.pick(kRefStyles);
  std::vector<std::string> members = topic.members, others = topic.others;
  random.shuffle(members);
  random.shuffle(others);
  for (const std::string& member : members) {
    tied.chosen.push_back(styled(style, member));
    (member == topic.ref_answer ? ref.chosen : ref.rejected).push_back(styled(ref_style, member));
  }
  for (const std::string& other : others) {
    tied.rejected.push_back(styled(style, other));
    ref.rejected.push_back(styled(ref_style, other));
  }
  return {std::move(tied), std::move(ref)};
}

}  // namespace laurel::bench
