// Factuality: questions with one true answer from small tables; wrong answers are other entries of
// the same table.
#include <algorithm>

#include "laurel/bench/mini_parts.h"

namespace laurel::bench {
namespace {

struct Fact {
  std::string subject;
  std::string value;
};

struct FactTable {
  std::string category;
  std::vector<std::string> questions;
  std::vector<std::string> statements;
  std::vector<Fact> facts;
};

// clang-format off
const std::vector<FactTable>& fact_tables() {
  static const std::vector<FactTable> kTables = {
      {"capital",
       {"What is the capital of {s}?", "Which city is the capital of {s}?", "Name the capital city of {s}.",
        "I keep forgetting this: what is {s}'s capital?", "Where does the government of {s} have its capital?",
        "For a quiz: the capital of {s}?"},
       {"The capital of {s} is {v}.", "{v} is the capital of {s}.", "It is {v}.", "{v}.",
        "That would be {v}, the capital city of {s}."},
       {{"France", "Paris"}, {"Japan", "Tokyo"}, {"Egypt", "Cairo"}, {"Italy", "Rome"}, {"Spain", "Madrid"},
        {"Germany", "Berlin"}, {"Russia", "Moscow"}, {"Greece", "Athens"}, {"Portugal", "Lisbon"}, {"Austria", "Vienna"},
        {"Sweden", "Stockholm"}, {"Norway", "Oslo"}, {"Denmark", "Copenhagen"}, {"Finland", "Helsinki"},
        {"Poland", "Warsaw"}, {"Hungary", "Budapest"}, {"Ireland", "Dublin"}, {"Cuba", "Havana"}, {"Peru", "Lima"},
        {"Chile", "Santiago"}, {"Kenya", "Nairobi"}, {"Thailand", "Bangkok"}, {"Vietnam", "Hanoi"}, {"China", "Beijing"},
        {"South Korea", "Seoul"}, {"Iran", "Tehran"}, {"Iraq", "Baghdad"}, {"Turkey", "Ankara"}, {"Canada", "Ottawa"},
        {"Argentina", "Buenos Aires"}, {"Colombia", "Bogotá"}, {"the Philippines", "Manila"}, {"Indonesia", "Jakarta"},
        {"Nepal", "Kathmandu"}, {"Belgium", "Brussels"}, {"the Netherlands", "Amsterdam"}, {"Ukraine", "Kyiv"},
        {"Romania", "Bucharest"}, {"Bulgaria", "Sofia"}, {"Croatia", "Zagreb"}, {"Morocco", "Rabat"},
        {"Ethiopia", "Addis Ababa"}, {"Ghana", "Accra"}, {"Venezuela", "Caracas"}}},
      {"chemical symbol",
       {"What is the chemical symbol for {s}?", "Which symbol stands for {s} in the periodic table?",
        "How is the element {s} abbreviated?", "Give the chemical symbol of {s}."},
       {"The symbol for {s} is {v}.", "{v} is the chemical symbol for {s}.", "It is {v}.", "{s} is written {v}."},
       {{"hydrogen", "H"}, {"oxygen", "O"}, {"carbon", "C"}, {"gold", "Au"}, {"silver", "Ag"}, {"iron", "Fe"},
        {"sodium", "Na"}, {"helium", "He"}, {"nitrogen", "N"}, {"potassium", "K"}, {"calcium", "Ca"}, {"copper", "Cu"},
        {"zinc", "Zn"}, {"tin", "Sn"}, {"lead", "Pb"}, {"mercury", "Hg"}, {"chlorine", "Cl"}, {"neon", "Ne"},
        {"silicon", "Si"}, {"magnesium", "Mg"}, {"aluminum", "Al"}, {"uranium", "U"}, {"sulfur", "S"}, {"lithium", "Li"},
        {"nickel", "Ni"}, {"iodine", "I"}, {"argon", "Ar"}, {"phosphorus", "P"}}},
      {"author",
       {"Who wrote {s}?", "Who is the author of {s}?", "Which writer do we owe {s} to?", "{s} was written by whom?"},
       {"{s} was written by {v}.", "{v} wrote {s}.", "The author is {v}.", "{v}.", "It is a work by {v}."},
       {{"Hamlet", "William Shakespeare"}, {"Pride and Prejudice", "Jane Austen"}, {"War and Peace", "Leo Tolstoy"},
        {"Don Quixote", "Miguel de Cervantes"}, {"The Odyssey", "Homer"}, {"Moby-Dick", "Herman Melville"},
        {"Oliver Twist", "Charles Dickens"}, {"The Divine Comedy", "Dante Alighieri"},
        {"Frankenstein", "Mary Shelley"}, {"Dracula", "Bram Stoker"}, {"Faust", "Johann Wolfgang von Goethe"},
        {"Crime and Punishment", "Fyodor Dostoevsky"}, {"The Metamorphosis", "Franz Kafka"}, {"1984", "George Orwell"},
        {"The Hobbit", "J. R. R. Tolkien"}, {"Les Misérables", "Victor Hugo"}, {"Jane Eyre", "Charlotte Brontë"},
        {"The Old Man and the Sea", "Ernest Hemingway"}, {"Treasure Island", "Robert Louis Stevenson"},
        {"The Jungle Book", "Rudyard Kipling"}}},
      {"young animal",
       {"What is a young {s} called?", "What do you call a baby {s}?", "What is the word for the young of a {s}?",
        "My daughter asks what a baby {s} is called. What should I say?"},
       {"A young {s} is called a {v}.", "The word is {v}.", "It is called a {v}.", "You call a baby {s} a {v}."},
       {{"cat", "kitten"}, {"dog", "puppy"}, {"cow", "calf"}, {"sheep", "lamb"}, {"horse", "foal"}, {"goat", "kid"},
        {"pig", "piglet"}, {"duck", "duckling"}, {"goose", "gosling"}, {"frog", "tadpole"}, {"kangaroo", "joey"},
        {"swan", "cygnet"}, {"deer", "fawn"}, {"lion", "cub"}, {"hen", "chick"}, {"butterfly", "caterpillar"}}},
      {"opposite",
       {"What is the opposite of \"{s}\"?", "Which word means the opposite of \"{s}\"?", "Give me an antonym of \"{s}\".",
        "I need the opposite of the word \"{s}\"."},
       {"The opposite of \"{s}\" is \"{v}\".", "\"{v}\".", "\"{v}\" is the opposite of \"{s}\".", "That would be \"{v}\"."},
       {{"hot", "cold"}, {"big", "small"}, {"early", "late"}, {"open", "closed"}, {"fast", "slow"}, {"rich", "poor"},
        {"young", "old"}, {"wet", "dry"}, {"full", "empty"}, {"hard", "soft"}, {"near", "far"}, {"light", "heavy"},
        {"happy", "sad"}, {"strong", "weak"}, {"loud", "quiet"}, {"clean", "dirty"}, {"deep", "shallow"},
        {"narrow", "wide"}, {"brave", "cowardly"}, {"cheap", "expensive"}, {"ancient", "modern"}, {"bitter", "sweet"},
        {"generous", "stingy"}, {"sharp", "blunt"}, {"public", "private"}, {"permanent", "temporary"},
        {"simple", "complex"}, {"guilty", "innocent"}}},
      {"invention and discovery",
       {"What is {s} best known for?", "Why is {s} famous?", "What did {s} do?", "In one sentence, who was {s}?"},
       {"{s} is best known for {v}.", "{s} became famous for {v}.", "{v} is what made {s} famous."},
       {{"Isaac Newton", "the law of gravitation"}, {"Alexander Graham Bell", "the telephone"},
        {"Johannes Gutenberg", "printing with movable type"}, {"Marie Curie", "research on radioactivity"},
        {"Charles Darwin", "the theory of evolution"}, {"Albert Einstein", "the theory of relativity"},
        {"Orville Wright", "the first powered flight"}, {"Alexander Fleming", "the discovery of penicillin"},
        {"Galileo Galilei", "the first observations with a telescope"}, {"Thomas Edison", "the electric light bulb"},
        {"James Watt", "an improved steam engine"}, {"Alfred Nobel", "dynamite and the prizes that bear a famous name"},
        {"Louis Pasteur", "the germ theory of disease"}, {"Neil Armstrong", "the first steps on the Moon"},
        {"Ludwig van Beethoven", "nine symphonies"}, {"Leonardo da Vinci", "painting the Mona Lisa"},
        {"Michelangelo", "the ceiling of the Sistine Chapel"}, {"Florence Nightingale", "the founding of modern nursing"},
        {"Ferdinand Magellan", "the first expedition around the world"}, {"Edward Jenner", "the smallpox vaccine"}}},
      {"continent",
       {"On which continent is {s}?", "Which continent does {s} belong to?", "{s}: which continent is that?"},
       {"{s} is in {v}.", "It is in {v}.", "{v} is the continent of {s}.", "{s} belongs to {v}."},
       {{"Brazil", "South America"}, {"India", "Asia"}, {"Nigeria", "Africa"}, {"Switzerland", "Europe"},
        {"Mexico", "North America"}, {"Bolivia", "South America"}, {"Mongolia", "Asia"}, {"Algeria", "Africa"},
        {"Slovakia", "Europe"}, {"Uruguay", "South America"}, {"Pakistan", "Asia"}, {"Angola", "Africa"},
        {"Estonia", "Europe"}, {"Guatemala", "North America"}, {"Ecuador", "South America"}, {"Cambodia", "Asia"},
        {"Zambia", "Africa"}, {"Slovenia", "Europe"}, {"Honduras", "North America"}, {"Paraguay", "South America"}}},
      {"how many",
       {"How many {s}?", "Quick question: how many {s}?", "Can you tell me how many {s}?"},
       {"{v}.", "The answer is {v}.", "It is {v}.", "There are {v}."},
       {{"legs does a spider have", "8"}, {"days are in a week", "7"}, {"months are in a year", "12"},
        {"sides does a triangle have", "3"}, {"hours are in a day", "24"}, {"minutes are in an hour", "60"},
        {"strings does a violin have", "4"}, {"players of one team are on a soccer field", "11"},
        {"legs does an insect have", "6"}, {"years are in a century", "100"}, {"planets orbit the Sun", "8"},
        {"letters are in the English alphabet", "26"}, {"sides does a hexagon have", "6"},
        {"cards are in a standard deck without jokers", "52"}, {"squares are on a chessboard", "64"},
        {"strings does a standard guitar have", "6"}, {"keys does a full-size piano have", "88"},
        {"millimeters are in a centimeter", "10"}, {"degrees are in a right angle", "90"},
        {"grams are in a kilogram", "1000"}}},
  };
  return kTables;
}
// clang-format on

// Up to three values of the same table and split that are not the right one.
std::vector<std::string> wrong_values(Random& random, MiniSplit split, const FactTable& table,
                                      const Fact& fact) {
  std::vector<std::string> values;
  for (int attempt = 0; attempt < 200 && values.size() < 3; ++attempt) {
    const std::string& value = pick_entry(random, split, table.facts).value;
    if (value != fact.value && std::find(values.begin(), values.end(), value) == values.end())
      values.push_back(value);
  }
  return values;
}

}  // namespace

MiniRow make_factuality(Random& random, MiniSplit split) {
  const FactTable& table = random.pick(fact_tables());
  const Fact& fact = pick_entry(random, split, table.facts);
  MiniRow row;
  row.category = table.category;
  row.prompt = capitalized(fill(random.pick(table.questions), {{"s", fact.subject}}));
  const auto answer = [&](const std::string& value) {
    const std::string text =
        fill(random.pick(table.statements), {{"s", fact.subject}, {"v", value}});
    return dress(random, capitalized(text));
  };
  row.chosen.push_back(answer(fact.value));
  for (const std::string& value : wrong_values(random, split, table, fact))
    row.rejected.push_back(answer(value));
  return row;
}

}  // namespace laurel::bench
