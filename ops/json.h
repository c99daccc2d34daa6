/* Writes JSON to a stream, value by value: commas and escapes are its business, the order of calls the caller's. */
#ifndef SALLYPORT_OPS_JSON_H
#define SALLYPORT_OPS_JSON_H

#include <stdbool.h>
#include <stdio.h>

struct sp_json {
    FILE *out;  /* borrowed */
    bool comma; /* a value stands before the next one */
};

/* key NULL: an element of an array, or the whole document. bracket is '{' or '['; each open one is closed by its
 * twin. */
void sp_json_open(struct sp_json *json, const char *key, char bracket);
void sp_json_close(struct sp_json *json, char bracket);
/* Bytes of text that are no UTF-8 become U+FFFD. */
void sp_json_text(struct sp_json *json, const char *key, const char *text);
/* Shortest of 9 digits; whole numbers up to 2^53 exactly. NaN and infinities become null. */
void sp_json_number(struct sp_json *json, const char *key, double number);
void sp_json_bool(struct sp_json *json, const char *key, bool value);

#endif
