/* CSV, bounded (RFC 4180): commas, "quotes" with "" inside, line breaks inside quotes, CRLF or LF, UTF-8 with or
 * without a byte order mark. A pull reader over bytes in memory; errors name the file and the exact line. */
#ifndef SALLYPORT_LISTING_CSV_H
#define SALLYPORT_LISTING_CSV_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_CSV_MAX_FIELDS 64
#define SP_CSV_MAX_FIELD  4096        /* bytes of one field */
#define SP_CSV_MAX_BYTES  (64u << 20) /* of one file */

struct sp_csv;

struct sp_csv_record {
    int line;      /* 1-based: where the record begins */
    size_t offset; /* the same in bytes */
    int count;
    const char *fields[SP_CSV_MAX_FIELDS]; /* NUL-terminated, valid until the next sp_csv_next */
};

/* `bytes` must live as long as the reader; name is used in messages. Refuses bytes that are no UTF-8, and NUL
 * bytes, naming the line, before the first record. */
enum sp_status sp_csv_new(struct sp_csv **ret_csv, const char *name, const void *bytes, size_t length,
                          struct sp_err *err);
void sp_csv_free(struct sp_csv **csv); /* wipes */
/* Fields are separated by another character than a comma from here on: ';' or a tab. */
void sp_csv_separate(struct sp_csv *csv, char separator);
/* The first of comma, semicolon and tab in the first 4,096 bytes: what separates a file whose first line is a
 * header. */
char sp_csv_separator(const void *bytes, size_t length);
/* The next record; empty lines are skipped. SP_E_CLOSED at the end. */
enum sp_status sp_csv_next(struct sp_csv *csv, struct sp_csv_record *ret_record, struct sp_err *err);
/* Leaves out spaces and tabs at both ends of the present record's fields. */
void sp_csv_trim(struct sp_csv *csv, struct sp_csv_record *record);

#endif
