/* The verbs of `sallyport model`; each one with its help text in its own file. */
#ifndef SALLYPORT_OPS_MODEL_H
#define SALLYPORT_OPS_MODEL_H

#include "common/pack.h"
#include "gpu/engine.h"
#include "ops/command.h"

extern const char sp_model_bench_help[];
extern const char sp_model_import_help[];
extern const char sp_model_inspect_help[];
extern const char sp_model_run_help[];
extern const char sp_model_seal_help[];

int sp_model_bench(int argc, char **argv);
int sp_model_import(int argc, char **argv);
int sp_model_inspect(int argc, char **argv);
int sp_model_run(int argc, char **argv);
int sp_model_seal(int argc, char **argv);

/* SHA-256 of a net's file. Blocking. */
enum sp_status sp_model_seal_hash(uint8_t ret_hash[32], const char *path, struct sp_err *err);

/* "auto", "cpu", "ref" or "cuda". */
enum sp_status sp_model_backend(enum sp_backend *ret_backend, const char *text, struct sp_err *err);

/* "fp16" or "bf16", and back; of a pack's net. */
enum sp_status sp_model_precision(enum sp_precision *ret_precision, const char *text, struct sp_err *err);
const char *sp_model_precision_word(enum sp_precision precision);
enum sp_precision sp_model_precision_of(const struct sp_pack_net *net);

#endif
