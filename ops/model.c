#include "ops/model.h"

int sp_ops_model(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"bench", "measure a pack's nets or an ONNX file", sp_model_bench_help, sp_model_bench},
        {"import", "make the default pack from the npm package", sp_model_import_help, sp_model_import},
        {"inspect", "say what is in a pack or an ONNX file", sp_model_inspect_help, sp_model_inspect},
        {"run", "run an ONNX file on NumPy arrays", sp_model_run_help, sp_model_run},
        {"seal", "write the files' hashes into a pack.yaml", sp_model_seal_help, sp_model_seal},
        {0},
    };
    return sp_command_run("model", verbs, argc, argv);
}
