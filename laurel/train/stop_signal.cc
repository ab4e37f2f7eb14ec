#include "laurel/train/stop_signal.h"

namespace laurel::train {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) { received_signal = signal; }

void listen(int signal, struct sigaction& old) {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, &old);
}

}  // namespace

StopSignal::StopSignal() {
  received_signal = 0;
  listen(SIGINT, old_interrupt_);
  listen(SIGTERM, old_terminate_);
}

StopSignal::~StopSignal() {
  ::sigaction(SIGINT, &old_interrupt_, nullptr);
  ::sigaction(SIGTERM, &old_terminate_, nullptr);
}

int StopSignal::received() const { return received_signal; }

}  // namespace laurel::train
