// The functions of HiGHS's C interface that Switchyard uses. The Python wheel contains the library
// but not its header; names, arguments and constants are those of `highs_c_api.h` in HiGHS 1.15.
#ifndef CHIGHS_SHIM_H
#define CHIGHS_SHIM_H

#include <stdint.h>

// 32 bits unless the library was built otherwise; Highs_getSizeofHighsInt returns its size.
typedef int32_t HighsInt;

enum {
  CHIGHS_STATUS_ERROR = -1,
  CHIGHS_ROW_WISE = 2,
  CHIGHS_MINIMIZE = 1,
  CHIGHS_MODEL_OPTIMAL = 7,
  CHIGHS_MODEL_INFEASIBLE = 8,
  CHIGHS_MODEL_UNBOUNDED_OR_INFEASIBLE = 9,
  CHIGHS_MODEL_UNBOUNDED = 10,
  CHIGHS_MODEL_TIME_LIMIT = 13,
  CHIGHS_SOLUTION_FEASIBLE = 2,
};

const char *Highs_version(void);
void *Highs_create(void);
void Highs_destroy(void *highs);
HighsInt Highs_getSizeofHighsInt(const void *highs);
HighsInt Highs_setBoolOptionValue(void *highs, const char *option, HighsInt value);
HighsInt Highs_setStringOptionValue(void *highs, const char *option, const char *value);
HighsInt Highs_setIntOptionValue(void *highs, const char *option, HighsInt value);
HighsInt Highs_setDoubleOptionValue(void *highs, const char *option, double value);

/// Arrays have `num_col`, `num_row` or `num_nz` elements; `a_start` has `num_row` for row-wise
/// matrices.
HighsInt Highs_passMip(void *highs, HighsInt num_col, HighsInt num_row, HighsInt num_nz,
                       HighsInt a_format, HighsInt sense, double offset, const double *col_cost,
                       const double *col_lower, const double *col_upper, const double *row_lower,
                       const double *row_upper, const HighsInt *a_start, const HighsInt *a_index,
                       const double *a_value, const HighsInt *integrality);
/// Sets a starting solution; arrays have `num_col` or `num_row` elements, null if unknown.
HighsInt Highs_setSolution(void *highs, const double *col_value, const double *row_value,
                           const double *col_dual, const double *row_dual);
HighsInt Highs_run(void *highs);
HighsInt Highs_getModelStatus(const void *highs);
HighsInt Highs_getIntInfoValue(const void *highs, const char *info, HighsInt *value);
HighsInt Highs_getDoubleInfoValue(const void *highs, const char *info, double *value);
HighsInt Highs_getSolution(const void *highs, double *col_value, double *col_dual, double *row_value,
                           double *row_dual);

#endif
