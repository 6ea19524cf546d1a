#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "flashbias/error.hpp"

namespace flashbias::testing {

/// Message of the Error of this code that the action throws; the test fails where it throws another or none.
template <class Action>
std::string message_of(ErrorCode code, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

template <class Action>
std::string config_rejection(Action&& action) {
  return message_of(ErrorCode::invalid_config, action);
}

/// Whether a message holds a text; where not, the test's output shows the message.
inline bool says(const std::string& message, std::string_view text) {
  const bool found = message.find(text) != std::string::npos;
  if (!found) MESSAGE("in: ", message);
  return found;
}

}  // namespace flashbias::testing
