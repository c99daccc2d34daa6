#include "ops/json.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "common/utf8.h"

static void quote(FILE *out, const char *text)
{
    fputc('"', out);
    size_t left = strlen(text), length;
    for (const uint8_t *c = (const uint8_t *)text; left > 0; c += length, left -= length) {
        length = sp_utf8_length(c, left);
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f)
            fprintf(out, "\\u%04x", *c);
        else if (length > 0)
            fwrite(c, 1, length, out);
        else
            fputs("\\ufffd", out);
        length = length > 0 ? length : 1;
    }
    fputc('"', out);
}

static void begin(struct sp_json *json, const char *key)
{
    if (json->comma)
        fputc(',', json->out);
    if (key) {
        quote(json->out, key);
        fputc(':', json->out);
    }
    json->comma = true;
}

void sp_json_open(struct sp_json *json, const char *key, char bracket)
{
    begin(json, key);
    fputc(bracket, json->out);
    json->comma = false;
}

void sp_json_close(struct sp_json *json, char bracket)
{
    fputc(bracket, json->out);
    json->comma = true;
}

void sp_json_text(struct sp_json *json, const char *key, const char *text)
{
    begin(json, key);
    quote(json->out, text);
}

void sp_json_number(struct sp_json *json, const char *key, double number)
{
    begin(json, key);
    if (!isfinite(number))
        fputs("null", json->out);
    else if (number == floor(number) && fabs(number) < 9007199254740992.0)
        fprintf(json->out, "%.0f", number);
    else
        fprintf(json->out, "%.9g", number);
}

void sp_json_bool(struct sp_json *json, const char *key, bool value)
{
    begin(json, key);
    fputs(value ? "true" : "false", json->out);
}
