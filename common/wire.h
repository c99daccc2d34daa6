/* msgpack, bounded: the only file over msgpack-c. A pre-scan walks the bytes without allocating and refuses what is
 * too large, too deep, too many or trailing; only then does the library see them.
 * Integers are msgpack integers, text is str, bytes are bin, maps have str keys without repeats. */
#ifndef SALLYPORT_COMMON_WIRE_H
#define SALLYPORT_COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

struct sp_wire_limits {
    size_t max_bytes; /* of the whole document */
    int max_depth;    /* of nesting; a scalar has depth 0 */
    int max_items;    /* values in all, keys included */
};
extern const struct sp_wire_limits sp_wire_header_limits;  /* 4 KiB, depth 4, 256 items: protocol headers */
extern const struct sp_wire_limits sp_wire_payload_limits; /* 16 MiB, depth 6, 4096 items: opened payloads */
extern const struct sp_wire_limits sp_wire_record_limits;  /* 64 MiB, depth 8, 4 Mi items: our own sealed records */

/* Exactly one well-formed document within the limits, no trailing byte. SP_E_FORMAT/SP_E_LIMIT name the offset.
 * (Repeated keys are found by sp_wire_parse.) */
enum sp_status sp_wire_scan(const void *bytes, size_t length, const struct sp_wire_limits *limits, struct sp_err *err);

/* ---- reading ---- */
struct sp_wire_doc;                          /* owns the tree; strings and bins point into the caller's bytes */
typedef struct sp_wire_value sp_wire_value;  /* one value inside a doc; valid while doc and bytes live */

/* Scan, then unpack. The caller keeps `bytes` alive until sp_wire_free. */
enum sp_status sp_wire_parse(struct sp_wire_doc **ret_doc, const void *bytes, size_t length,
                             const struct sp_wire_limits *limits, struct sp_err *err);
void sp_wire_free(struct sp_wire_doc **doc);
const sp_wire_value *sp_wire_root(const struct sp_wire_doc *doc);

bool sp_wire_is_map(const sp_wire_value *value);
bool sp_wire_is_array(const sp_wire_value *value);
bool sp_wire_is_nil(const sp_wire_value *value);
int sp_wire_count(const sp_wire_value *array_or_map);
const sp_wire_value *sp_wire_at(const sp_wire_value *array, int index); /* NULL out of range or not an array */
const sp_wire_value *sp_wire_find(const sp_wire_value *map, const char *key); /* NULL if absent or not a map */

/* Field readers. Absent or nil: SP_E_NOTFOUND; wrong type: SP_E_FORMAT; out of range: SP_E_LIMIT; each names the key. */
enum sp_status sp_wire_get_uint(const sp_wire_value *map, const char *key, uint64_t max, uint64_t *ret,
                                struct sp_err *err);
enum sp_status sp_wire_get_int(const sp_wire_value *map, const char *key, int64_t min, int64_t max, int64_t *ret,
                               struct sp_err *err);
enum sp_status sp_wire_get_double(const sp_wire_value *map, const char *key, double *ret, struct sp_err *err);
enum sp_status sp_wire_get_bool(const sp_wire_value *map, const char *key, bool *ret, struct sp_err *err);
/* Copies and NUL-terminates; text with NUL bytes inside or over capacity-1 is refused. */
enum sp_status sp_wire_get_text(const sp_wire_value *map, const char *key, char *ret_text, size_t capacity,
                                struct sp_err *err);
/* Exactly `length` bytes, copied. */
enum sp_status sp_wire_get_bytes(const sp_wire_value *map, const char *key, void *ret_bytes, size_t length,
                                 struct sp_err *err);
/* A view of 0..max bytes inside the document. */
enum sp_status sp_wire_get_view(const sp_wire_value *map, const char *key, size_t max, const uint8_t **ret_bytes,
                                size_t *ret_length, struct sp_err *err);
/* The same readers for array elements and other bare values. false on wrong type or range. */
bool sp_wire_as_uint(const sp_wire_value *value, uint64_t max, uint64_t *ret);
bool sp_wire_as_int(const sp_wire_value *value, int64_t *ret);
bool sp_wire_as_double(const sp_wire_value *value, double *ret);
bool sp_wire_as_text(const sp_wire_value *value, char *ret_text, size_t capacity);
bool sp_wire_as_view(const sp_wire_value *value, const uint8_t **ret_bytes, size_t *ret_length);

/* ---- writing ---- a growing buffer with a hard maximum; errors are sticky and reported once by sp_wire_finish */
struct sp_wire_writer;
enum sp_status sp_wire_writer_new(struct sp_wire_writer **ret_writer, size_t max_bytes, struct sp_err *err);
void sp_wire_writer_free(struct sp_wire_writer **writer);
void sp_wire_clear(struct sp_wire_writer *writer); /* empty it for the next document, keeps memory */
void sp_wire_put_map(struct sp_wire_writer *writer, int pairs);
void sp_wire_put_array(struct sp_wire_writer *writer, int items);
void sp_wire_put_nil(struct sp_wire_writer *writer);
void sp_wire_put_bool(struct sp_wire_writer *writer, bool value);
void sp_wire_put_uint(struct sp_wire_writer *writer, uint64_t value);
void sp_wire_put_int(struct sp_wire_writer *writer, int64_t value);
void sp_wire_put_double(struct sp_wire_writer *writer, double value);
void sp_wire_put_text(struct sp_wire_writer *writer, const char *text);
void sp_wire_put_bytes(struct sp_wire_writer *writer, const void *bytes, size_t length);
/* The finished bytes, owned by the writer, valid until clear, free or the next put. */
enum sp_status sp_wire_finish(struct sp_wire_writer *writer, const uint8_t **ret_bytes, size_t *ret_length,
                              struct sp_err *err);

#endif
