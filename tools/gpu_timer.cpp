#include "tools/gpu_timer.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/driver.hpp"

namespace flashbias::tools {
namespace {

using runtime::CUevent;
using runtime::Driver;

class Event {
 public:
  Event() { driver_.check(driver_.cuEventCreate(&event_, 0), "create an event"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { driver_.cuEventDestroy(event_); }

  void record() { driver_.check(driver_.cuEventRecord(event_, nullptr), "record an event"); }
  /// Waits for this event.
  [[nodiscard]] double milliseconds_since(const Event& start) const {
    float milliseconds = 0;
    driver_.check(driver_.cuEventSynchronize(event_), "run the kernel");
    driver_.check(driver_.cuEventElapsedTime(&milliseconds, start.event_, event_), "time the kernel");
    return milliseconds;
  }

 private:
  const Driver& driver_ = Driver::get();
  CUevent event_ = nullptr;
};

double time_once(const std::function<void(CUstream_st* stream)>& launch) {
  Event start;
  Event stop;
  start.record();
  launch(nullptr);
  stop.record();
  return stop.milliseconds_since(start);
}

}  // namespace

double median_milliseconds(const std::function<void(CUstream_st* stream)>& launch) {
  constexpr double kBudget = 200;
  constexpr double kFewest = 3;
  constexpr double kMost = 50;
  const double estimate = time_once(launch);
  std::vector<double> times(static_cast<std::size_t>(std::clamp(kBudget / estimate, kFewest, kMost)));
  for (auto& time : times) time = time_once(launch);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::ranges::nth_element(times, middle);
  return *middle;
}

}  // namespace flashbias::tools
