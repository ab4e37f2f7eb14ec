// Focus: every answer is true and well written, but only one is about what was asked.
#include <algorithm>

#include "laurel/bench/mini_parts.h"

namespace laurel::bench {
namespace {

// clang-format off
struct Topic {
  std::string kind;
  std::string name;   // "penguins"
  std::string first;  // two true sentences about it
  std::string second;
};

const std::vector<Topic> kSubjects = {
    {"animal", "penguins", "Penguins are birds that swim instead of flying.", "They live mostly in the southern half of the world."},
    {"animal", "camels", "Camels store fat in their humps.", "They can go for many days without drinking."},
    {"animal", "bees", "Bees collect nectar and turn it into honey.", "A colony is led by a single queen."},
    {"animal", "owls", "Owls hunt at night and fly almost without a sound.", "They can turn their heads very far around."},
    {"dish", "pancakes", "Pancakes are made from flour, milk and eggs.", "Fry them in a little butter until both sides are golden."},
    {"dish", "tomato soup", "Tomato soup begins with onions cooked slowly in oil.", "Ripe tomatoes and a little cream do the rest."},
    {"dish", "sushi", "Sushi is made from seasoned rice.", "Often there is raw fish or vegetables on top."},
    {"dish", "risotto", "Risotto needs hot broth, added one ladle at a time.", "Stirring makes the rice creamy."},
    {"job", "firefighters", "Firefighters put out fires and rescue people.", "They train every week and wear heavy protective clothing."},
    {"job", "librarians", "Librarians help readers to find what they need.", "They choose new books and keep the collection in order."},
    {"job", "pilots", "Pilots check the weather and the aircraft before each flight.", "They have to pass a medical test regularly."},
    {"job", "bakers", "Bakers start work long before sunrise.", "They mix, shape and bake dough so that bread is fresh in the morning."},
    {"thing", "bicycles", "Bicycles turn the push of our legs into motion.", "Gears make it easier to climb hills."},
    {"thing", "microscopes", "Microscopes make very small things visible.", "They bend light with several lenses."},
    {"thing", "candles", "Candles burn wax that the wick draws upward.", "People used them for light before there was electricity."},
    {"thing", "umbrellas", "Umbrellas keep us dry with a thin cloth on metal ribs.", "They fold so that they are easy to carry."},
    {"animal", "dolphins", "Dolphins are mammals and breathe air.", "They find their way with clicks and echoes."},
    {"animal", "spiders", "Spiders have eight legs and make silk.", "Many of them catch insects in a web."},
    {"animal", "elephants", "Elephants are the largest animals on land.", "They use their trunks for drinking and for lifting things."},
    {"animal", "salmon", "Salmon hatch in rivers and grow up in the sea.", "Later they swim back upstream to lay their eggs."},
    {"dish", "omelettes", "Omelettes are beaten eggs cooked quickly in a pan.", "Cheese or herbs make a good filling."},
    {"dish", "apple pie", "Apple pie has a crisp crust and a soft filling.", "Cinnamon goes well with the fruit."},
    {"dish", "hummus", "Hummus is a paste of chickpeas and sesame.", "Lemon juice and garlic give it its taste."},
    {"dish", "lasagna", "Lasagna is built from layers of pasta, sauce and cheese.", "It rests for ten minutes before it is cut."},
    {"job", "nurses", "Nurses look after patients day and night.", "They give medicine and watch for changes."},
    {"job", "carpenters", "Carpenters measure, saw and join wood.", "They build roofs, stairs and furniture."},
    {"job", "judges", "Judges listen to both sides of a case.", "They decide by the law and explain their reasons."},
    {"job", "farmers", "Farmers grow crops and raise animals.", "Their work follows the seasons and the weather."},
    {"thing", "telescopes", "Telescopes gather light from far away.", "Large ones stand on mountains, where the air is clear."},
    {"thing", "clocks", "Clocks count something that repeats evenly.", "In old ones it is the swing of a pendulum."},
    {"thing", "bridges", "Bridges carry roads over rivers and valleys.", "Arches and cables lead the weight to the ground."},
    {"thing", "batteries", "Batteries store energy in chemical form.", "When they are empty, some kinds can be charged again."},
    {"animal", "wolves", "Wolves live and hunt in packs.", "They howl to keep in touch over long distances."},
    {"animal", "turtles", "Turtles carry a hard shell.", "Some of them grow more than a hundred years old."},
    {"animal", "ants", "Ants live in large colonies with divided work.", "They mark their paths with scent."},
    {"animal", "horses", "Horses can sleep while standing.", "People have ridden them for thousands of years."},
    {"dish", "curry", "Curry gets its taste from roasted spices.", "Coconut milk makes it milder."},
    {"dish", "pizza", "Pizza dough needs time to rise.", "A very hot oven makes the crust crisp."},
    {"dish", "potato salad", "Potato salad is best with firm potatoes.", "Let it stand for an hour before you serve it."},
    {"dish", "ice cream", "Ice cream is stirred while it freezes.", "The air in it makes it soft."},
    {"job", "teachers", "Teachers plan lessons and explain new ideas.", "They also find out what their students have understood."},
    {"job", "plumbers", "Plumbers install and repair pipes.", "They look for leaks and clear blocked drains."},
    {"job", "translators", "Translators carry a text from one language into another.", "They care about meaning as well as tone."},
    {"job", "gardeners", "Gardeners plant, water and prune.", "They know which plants like sun and which like shade."},
    {"thing", "refrigerators", "Refrigerators move heat from the inside to the outside.", "The cold slows down the growth of bacteria."},
    {"thing", "magnets", "Magnets attract iron and some other metals.", "Equal poles push each other away."},
    {"thing", "violins", "Violins sound when a bow rubs their four strings.", "The wooden body makes the tone louder."},
    {"thing", "compasses", "Compasses point to the magnetic north.", "Sailors have relied on them for centuries."}};

const std::vector<std::string> kAsks = {"Tell me something about {n}.", "What can you say about {n}?",
    "I am writing a school report on {n}. What should I mention?", "Explain {n} to a child in two sentences.",
    "What is worth knowing about {n}?", "Give me two facts about {n}."};
// clang-format on

std::string about(const Topic& topic, bool swapped) {
  return swapped ? topic.second + " " + topic.first : topic.first + " " + topic.second;
}

// Begins as if it were about the question and goes elsewhere, as a distracted writer does.
std::string drifting(Random& random, const Topic& asked, const Topic& other) {
  const std::string pattern = random.pick<std::string>(
      {"Speaking of {n}, I would rather talk about {o}. {x}",
       "You ask about {n}, but {o} are a better subject. {x}", "{N} remind me of {o}. {x}"});
  return fill(pattern, {{"n", asked.name},
                        {"N", capitalized(asked.name)},
                        {"o", other.name},
                        {"x", random.chance(1, 2) ? other.first : other.second}});
}

}  // namespace

MiniRow make_focus(Random& random, MiniSplit split) {
  const Topic& asked = pick_entry(random, split, kSubjects);
  MiniRow row;
  row.category = asked.kind;
  row.prompt = fill(random.pick(kAsks), {{"n", asked.name}});
  row.chosen.push_back(dress(random, about(asked, false)));
  std::vector<const Topic*> others;
  while (others.size() < 3) {
    const Topic* other = &pick_entry(random, split, kSubjects);
    if (other != &asked && std::find(others.begin(), others.end(), other) == others.end())
      others.push_back(other);
  }
  for (const Topic* other : others) {
    const bool drifts = random.chance(1, 3);
    row.rejected.push_back(
        dress(random, drifts ? drifting(random, asked, *other) : about(*other, false)));
  }
  return row;
}

}  // namespace laurel::bench
