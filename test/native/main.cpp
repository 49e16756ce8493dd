// Runs all tests, or those whose name contains an argument.
#include "check.h"

int main(int count, char** arguments) {
  int ran = 0;
  for (const Test& test : tests()) {
    if (count > 1 && !std::strstr(test.name, arguments[1])) continue;
    const int before = failures;
    test.body();
    std::printf("%s %s\n", failures == before ? "ok  " : "FAIL", test.name);
    std::fflush(stdout);
    ++ran;
  }
  std::printf("%d tests, %d failed checks\n", ran, failures);
  return failures || !ran ? 1 : 0;
}
