#include "laurel/base/temporaries.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "laurel/base/file.h"

namespace laurel {
namespace {

namespace fs = std::filesystem;

class Temporaries : public testing::Test {
 protected:
  Temporaries() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Temporaries() override { fs::remove_all(folder_); }

  bool is_empty() const { return fs::is_empty(folder_); }

  // How a process ends that is sent the signal in the middle of writing.
  int end_of_writer(int signal, bool ignore) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(30);
      if (ignore) ::signal(signal, SIG_IGN);
      const InterruptCleanup cleanup;
      AtomicFile file(folder_ / "file");
      file.write("begun");
      const AtomicDirectory directory(folder_ / "directory");
      write_file(directory.staging() / "inner", "begun");
      ::raise(signal);
      if (!ignore) ::sleep(60);  // the cleaner ends the process meanwhile
      file.commit();
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
  }

  fs::path folder_ = fs::path(testing::TempDir()) / "laurel_temporaries_test";
};

TEST_F(Temporaries, GoAwayWithTheirObjectUnlessKept) {
  {
    const Temporary gone(folder_ / "gone");
    Temporary kept(folder_ / "kept");
    write_file(gone.path(), "x");
    write_file(kept.path(), "x");
    kept.keep();
    EXPECT_TRUE(kept.empty());
  }
  EXPECT_FALSE(fs::exists(folder_ / "gone"));
  EXPECT_TRUE(fs::exists(folder_ / "kept"));
}

TEST_F(Temporaries, GoAwayWhenTheProgramIsInterrupted) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const int status = end_of_writer(signal, false);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    EXPECT_TRUE(is_empty());
  }
}

TEST_F(Temporaries, IgnoredSignalsStayIgnored) {
  const int status = end_of_writer(SIGHUP, true);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(fs::exists(folder_ / "file"));
}

}  // namespace
}  // namespace laurel
