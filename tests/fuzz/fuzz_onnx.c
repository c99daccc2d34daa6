/* ONNX bytes through scan, decoder, lowering, fusion and planning; what loads is run once on the reference, so that a
 * shape the loader believes and a kernel does not is seen by the sanitizers. Memory limits are low: hostile shapes have
 * to be refused before anything is taken. */
#include <stdint.h>
#include <stdlib.h>
#include "gpu/engine.h"

#define MOST_FLOATS 16384

static void run(struct sp_net *net, int batch)
{
    const float *inputs[SP_NET_MAX_PORTS], *outputs[SP_NET_MAX_PORTS];
    static float rows[MOST_FLOATS];
    float sum = 0;
    for (int i = 0; i < sp_net_input_count(net); i++) {
        const struct sp_tensor_info *info = sp_net_input(net, i);
        int64_t count = 1;
        for (int d = 0; d < info->rank; d++)
            count *= info->dims[d];
        if (count > MOST_FLOATS)
            return;
        inputs[i] = rows;
    }
    for (int i = 0; i < MOST_FLOATS; i++)
        rows[i] = (float)(i % 17) - 8;
    if (sp_net_run(net, batch, inputs, outputs, NULL) != SP_OK)
        return;
    for (int i = 0; i < sp_net_output_count(net); i++) {
        const struct sp_tensor_info *info = sp_net_output(net, i);
        int64_t count = 1;
        for (int d = 0; d < info->rank; d++)
            count *= info->dims[d];
        for (int64_t j = 0; j < count; j++)
            sum += outputs[i][j];
    }
    if (sum > 1e30f) /* the reads above are not optimised away */
        rows[0] = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_REF};
    struct sp_net_config limits = {.max_batch = 2, .height = 16, .width = 16, .max_bytes = 64 << 10};
    struct sp_engine *engine = NULL;
    struct sp_net *net = NULL;
    struct sp_err err;
    if (size > 64 << 10 || sp_engine_open(&engine, &config, &err) != SP_OK)
        return 0;
    if (sp_net_load_memory(&net, engine, data, size, "fuzz", &limits, &err) == SP_OK)
        run(net, 2);
    sp_net_free(&net);
    sp_engine_free(&engine);
    return 0;
}
