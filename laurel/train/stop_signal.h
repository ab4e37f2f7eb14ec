// Ctrl-C and SIGTERM as a question that a loop asks between two steps.
#pragma once

#include <csignal>

namespace laurel::train {

// While it lives, the first SIGINT or SIGTERM is remembered; a second one ends the process as if
// nobody listened. One at a time; restores the former handlers.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // SIGINT, SIGTERM, or 0 as long as neither came.
  int received() const;

 private:
  struct sigaction old_interrupt_;
  struct sigaction old_terminate_;
};

}  // namespace laurel::train
