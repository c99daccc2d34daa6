/* A small YAML document: nested mappings flattened to dotted keys in file order ("engine.backend"), sequences to
 * indexed ones ("calibration.0.fmr"), each with its line. Bounded: 256 KiB, depth 8, 4096 entries; anchors, aliases,
 * tags and several documents are refused. */
#ifndef SALLYPORT_COMMON_YAML_H
#define SALLYPORT_COMMON_YAML_H

#include <stddef.h>
#include "common/status.h"

struct sp_yaml_entry {
    char *key;   /* dotted path */
    char *value; /* scalar text */
    int line;    /* 1-based */
};

struct sp_yaml {
    char *source; /* file name for messages */
    size_t count;
    struct sp_yaml_entry *entries;
};

/* Parse a file or bytes in memory (name is used in messages). Errors name "file line N". */
enum sp_status sp_yaml_load(struct sp_yaml **ret_yaml, const char *path, struct sp_err *err);
enum sp_status sp_yaml_parse(struct sp_yaml **ret_yaml, const char *name, const void *bytes, size_t length,
                             struct sp_err *err);
void sp_yaml_free(struct sp_yaml **yaml);
/* The entry with this dotted key, or NULL. */
const struct sp_yaml_entry *sp_yaml_find(const struct sp_yaml *yaml, const char *key);
/* The entry's value as a decimal number within min..max, whatever the process's locale is. SP_E_FORMAT names file, line
 * and key. */
enum sp_status sp_yaml_number(double *ret_number, const struct sp_yaml *yaml, const struct sp_yaml_entry *entry,
                              double min, double max, struct sp_err *err);

#endif
