/* Log lines on stderr: time, level, program, a stable id ("BRK-START"), then text. JSON lines on request.
 * Programs log, libraries return errors. Never faces, templates, names, document numbers or keys. Thread-safe. */
#ifndef SALLYPORT_COMMON_LOG_H
#define SALLYPORT_COMMON_LOG_H

#include <stdbool.h>
#include "common/status.h"

enum sp_log_level { SP_LOG_DEBUG, SP_LOG_INFO, SP_LOG_WARN, SP_LOG_ERROR };

struct sp_log {
    const char *program;
    enum sp_log_level level; /* lines below are dropped */
    bool json;
};

void sp_log(const struct sp_log *log, enum sp_log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "debug|info|warn|error" -> level; -1 if it is none of them. */
int sp_log_level_from(const char *text);

#endif
