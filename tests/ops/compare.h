/* Running one model on two backends and comparing all its outputs. */
#ifndef SALLYPORT_TESTS_OPS_COMPARE_H
#define SALLYPORT_TESTS_OPS_COMPARE_H

#include <stdbool.h>
#include "gpu/engine.h"
#include "tests/ops/onnx_maker.h"

/* Repeatable random numbers; the seed is printed with every failure. */
struct random {
    uint64_t state;
};

uint32_t random_bits(struct random *random);
int random_int(struct random *random, int least, int most);
/* -1..1 */
float random_float(struct random *random);
void random_fill(struct random *random, float *data, size_t count);

struct comparison {
    struct sp_engine *reference, *tested;
    struct random random;
    uint64_t seed;
    double bound; /* of max|a-b| / max|b| */
    double least; /* max|b| counts as at least this; 0: 1e-30 */
    float large;  /* the worst cases' numbers; 0: 20 */
    int height, width, max_batch;
    enum sp_precision precision;
    double worst; /* found so far */
};

/* Load the model on both, run batches 1, 3 (of worst cases) and max_batch on rows that end at an unreadable page,
 * compare. Fails the test with `name`, the seed and the figures. */
void compare_model(struct comparison *comparison, struct onnx_maker *maker, const char *name);
void compare_bytes(struct comparison *comparison, const uint8_t *bytes, size_t length, const char *name);
/* max|a-b| / max|b| (max|b| at least 1e-30); a NaN on either side that is not on both gives infinity. */
double compare_arrays(const float *a, const float *b, size_t count);

struct sp_engine *compare_engine(enum sp_backend backend);
/* End the program where the backend cannot be opened: exit 77 with the reason, or 1 where skips are failures. */
void compare_need(enum sp_backend backend, bool skips_as_fails);

#endif
