#include "tools/located_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "flashbias/error.hpp"

namespace flashbias::tools {
namespace {

using nlohmann::json;

/// Walks the text and counts the lines that the parser has consumed.
class LineCounter {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCounter(const char* at, int& line) : at_(at), line_(&line) {}
  reference operator*() const { return *at_; }
  LineCounter& operator++() {
    if (*at_++ == '\n') ++*line_;
    return *this;
  }
  friend bool operator==(const LineCounter& a, const LineCounter& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  int* line_;
};

/// Follows the parser's events to know the path of the value that it is at.
class PathTracker {
 public:
  using Event = json::parse_event_t;

  /// Where the event's value or key lies; empty for the ends of objects and arrays.
  std::string visit(Event event, const json& parsed) {
    switch (event) {
      case Event::key:
        keys_.back() = parsed.get<std::string>();
        return path().to_string();
      case Event::object_start:
      case Event::array_start: {
        auto place = enter_value();
        keys_.emplace_back();
        next_index_.push_back(event == Event::array_start ? 0 : kObject);
        return place;
      }
      case Event::object_end:
      case Event::array_end:
        keys_.pop_back();
        next_index_.pop_back();
        return {};
      case Event::value:
        return enter_value();
    }
    return {};
  }

 private:
  static constexpr int kObject = -1;

  /// In an object the key has been seen already; in an array the value is the next element.
  std::string enter_value() {
    if (keys_.empty() || next_index_.back() == kObject) return {};
    keys_.back() = std::to_string(next_index_.back()++);
    return path().to_string();
  }

  [[nodiscard]] json::json_pointer path() const {
    json::json_pointer pointer;
    for (const auto& key : keys_) pointer /= key;
    return pointer;
  }

  std::vector<std::string> keys_;
  std::vector<int> next_index_;
};

/// The library's message without its own prefix and position.
std::string syntax_problem(const json::exception& error) {
  std::string_view message = error.what();
  for (const std::string_view end : {"] ", ": "}) {
    if (const auto found = message.find(end); found != std::string_view::npos)
      message.remove_prefix(found + end.size());
  }
  return std::string(message);
}

}  // namespace

LocatedJson LocatedJson::from_json(std::string_view text, std::string file) {
  LocatedJson document(std::move(file));
  int line = 1;
  PathTracker tracker;
  const auto locate = [&](int depth, json::parse_event_t event, json& parsed) {
    constexpr int kMaxDepth = 64;
    if (depth > kMaxDepth) {
      throw Error(ErrorCode::parse, fmt::format("{}:{}: is nested deeper than {}", document.file_, line, kMaxDepth));
    }
    const auto path = tracker.visit(event, parsed);
    if (!path.empty() && !document.lines_.emplace(path, line).second) {
      throw Error(ErrorCode::parse, fmt::format("{}:{}: {} is given twice", document.file_, line, parsed.dump()));
    }
    return true;
  };
  try {
    document.root_ = json::parse(LineCounter(text.data(), line), LineCounter(text.data() + text.size(), line), locate,
                                 /*allow_exceptions=*/true, /*ignore_comments=*/true);
    return document;
  } catch (const json::parse_error& error) {
    const auto before = text.substr(0, std::min(text.size(), error.byte > 0 ? error.byte - 1 : 0));
    const auto newline = before.rfind('\n');
    const auto column = before.size() - (newline == std::string::npos ? 0 : newline + 1) + 1;
    throw Error(ErrorCode::parse, fmt::format("{}:{}:{}: {}", document.file_, std::ranges::count(before, '\n') + 1,
                                              column, syntax_problem(error)));
  } catch (const json::exception& error) {  // a number that is too large, for one
    throw Error(ErrorCode::parse, fmt::format("{}:{}: {}", document.file_, line, syntax_problem(error)));
  }
}

std::string LocatedJson::place(const Pointer& pointer) const {
  const auto line = lines_.find(pointer.to_string());
  return line == lines_.end() ? file_ : fmt::format("{}:{}", file_, line->second);
}

}  // namespace flashbias::tools
