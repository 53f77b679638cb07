// Draws the sample sets and the order of samples of the rounds, whatever the compiler.
//
// LoadGen shuffles and draws samples by std::shuffle and std::uniform_int_distribution, whose algorithms the C++ standard
// leaves open. The published logs are of libstdc++ before GCC 11, which draws other numbers than later ones do: with seeds of
// v1.0 SSD-MobileNet's set begins with 4110, 1440, 945. This header has the algorithms of the published logs under these names.
// The build includes it before each source file.

#ifndef SAMPLES_H
#define SAMPLES_H

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace rounds {

// A number from 0 to `last`: the engine's range is divided into equal parts, and numbers beyond the last part are dropped.
template <class Engine>
std::uint64_t draw(Engine& engine, std::uint64_t last) {
  const std::uint64_t range = engine.max() - engine.min();
  const std::uint64_t part = range / (last + 1);
  std::uint64_t number;
  do {
    number = static_cast<std::uint64_t>(engine()) - engine.min();
  } while (number >= part * (last + 1));
  return number / part;
}

template <class Integer = int>
class IntegerDistribution {
 public:
  IntegerDistribution(Integer first, Integer last) : first_(first), last_(last) {}

  template <class Engine>
  Integer operator()(Engine& engine) const {
    return static_cast<Integer>(first_ + draw(engine, static_cast<std::uint64_t>(last_) - static_cast<std::uint64_t>(first_)));
  }

 private:
  Integer first_, last_;
};

// Fisher and Yates' shuffle. As long as the engine's range allows it, one draw gives the positions of two elements.
template <class Iterator, class Engine>
void shuffle(Iterator begin, Iterator end, Engine&& engine) {
  if (begin == end) return;
  const std::uint64_t size = static_cast<std::uint64_t>(end - begin);
  const std::uint64_t range = engine.max() - engine.min();
  std::uint64_t at = 1;
  if (range / size < size) {
    for (; at < size; ++at) std::iter_swap(begin + at, begin + draw(engine, at));
    return;
  }
  if (size % 2 == 0) {
    std::iter_swap(begin + at, begin + draw(engine, 1));
    ++at;
  }
  for (; at < size; at += 2) {
    const std::uint64_t both = draw(engine, (at + 1) * (at + 2) - 1);
    std::iter_swap(begin + at, begin + both / (at + 2));
    std::iter_swap(begin + at + 1, begin + both % (at + 2));
  }
}

}  // namespace rounds

namespace std {
using rounds::IntegerDistribution;
template <class Iterator, class Engine>
void shuffle_of_the_rounds(Iterator begin, Iterator end, Engine&& engine) {
  rounds::shuffle(begin, end, engine);
}
}  // namespace std

#define uniform_int_distribution IntegerDistribution
#define shuffle shuffle_of_the_rounds

#endif
