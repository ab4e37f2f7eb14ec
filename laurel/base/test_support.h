// What the tests of this module share.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace laurel {

// The text of the Error of this kind that `action` throws; fails the test if it throws none.
template <typename Kind, typename Action>
std::string error_text(Action action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace laurel
