// Runs the kernels' cases on this processor: kernel-cases [TABLE]
//
// Prints one line per failing case and one per table; exit code 1 on a failure, 2 if the named
// table does not run here.

#include <KernelCases.h>
#include <stdio.h>
#include <string.h>

/// Runs all cases; returns the number of failures.
static size_t run_all(const ckernels_table *table) {
  size_t failures = 0;
  const size_t count = kernel_cases_count();
  for (size_t i = 0; i < count; ++i) {
    char message[400] = "";
    if (kernel_cases_run(i, table, message, sizeof message)) continue;
    ++failures;
    printf("%s: %s: %s\n", table->name, kernel_cases_name(i), message);
  }
  if (failures)
    printf("%s: %zu of %zu cases failed\n", table->name, failures, count);
  else
    printf("%s: %zu cases passed\n", table->name, count);
  return failures;
}

int main(int count, char **arguments) {
  const char *named = count > 1 ? arguments[1] : NULL;
  size_t ran = 0, failures = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < ckernels_table_count(); ++i) {
    const ckernels_table *table = ckernels_table_at(i);
    if (named && strcmp(named, table->name) != 0) continue;
    if (!ckernels_table_runs_here(table)) {
      printf("%s: does not run here\n", table->name);
      continue;
    }
    ++ran;
    failures += run_all(table);
  }
  if (ran == 0 && named) fprintf(stderr, "kernel-cases: no table '%s' runs here\n", named);
  return failures ? 1 : ran ? 0 : 2;
}
