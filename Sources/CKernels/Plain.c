// The kernels in plain C, for processors without a version of their own: vectors of four, which
// nearly all processors have, and no instruction beyond the architecture's first.

#define WIDTH 4
#define FUSES 0
#define MULTIPLIES_BF16 0
#define MULTIPLIES_BYTES 0
#define TILE_ROWS 4
#define TILE_VECTORS 2

#include "Kernels/Table.h"
#include "Versions.h"

TABLE(plain);
