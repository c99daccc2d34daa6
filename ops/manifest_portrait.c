/* `sallyport manifest portrait`: the face image out of a passport's DG2, or any picture, as a JPEG file; and what
 * the record says about it. Needs no configuration. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/program.h"
#include "document/portrait.h"
#include "image/jpeg_write.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "roster/portraits.h"

#define JPEG_QUALITY 95

const char sp_manifest_portrait_help[] =
    "Usage: sallyport manifest portrait FILE [-o OUT.jpg] [--index N] [--json]\n"
    "Say what a portrait file holds, and take the face image out of it. FILE is a passport's DG2 (ISO/IEC 19794-5 "
    "or\n"
    "39794-5), or a JPEG, PNG or JPEG 2000 picture, whatever its name is.\n\n"
    "  -o, --output OUT.jpg  write the image: a JPEG byte for byte, others converted to JPEG (quality 95, 4:4:4);\n"
    "                        an image that does not decode is refused and OUT.jpg stays as it was\n"
    "  -n, --index N         which image of a DG2 with several, from 1 (default 1)\n"
    "      --json            one line of JSON\n\n"
    "Example: sallyport manifest portrait EF_DG2.bin -o portraits/T17.jpg\n"
    "Exit codes: 0 done, 1 no such file, no portrait, or its image does not decode, 2 wrong usage.\n";

struct job {
    const char *path, *output;
    int index; /* from 1 */
    bool as_json;
    uint8_t *bytes; /* of the file; owned */
    struct sp_portrait portrait;
    struct sp_image *pixels[SP_DG2_MAX_IMAGES]; /* NULL: does not decode */
    char why_not[SP_DG2_MAX_IMAGES][200];
    bool written;
};

static enum sp_status open_portrait(struct job *job, struct sp_err *err)
{
    struct sp_image_limits limits = sp_image_limits_default();
    size_t length = 0;
    enum sp_status status = sp_file_read(&job->bytes, &length, job->path, SP_PORTRAIT_MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_portrait_parse(&job->portrait, job->path, job->bytes, length, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < job->portrait.faces->image_count; i++) {
        const struct sp_dg2_image *image = &job->portrait.faces->images[i];
        struct sp_err inner = {0};
        if (sp_image_decode(&job->pixels[i], image->bytes, image->length, &limits, &inner) != SP_OK)
            snprintf(job->why_not[i], sizeof job->why_not[i], "%.199s", inner.text);
    }
    return SP_OK;
}

static bool same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* The chosen image, decodable or refused, and written if it shall be. */
static enum sp_status take_out(struct job *job, struct sp_err *err)
{
    const struct sp_dg2 *faces = job->portrait.faces;
    uint8_t *jpeg = NULL;
    size_t length = 0;
    enum sp_status status = SP_OK;
    if (job->index > faces->image_count)
        return sp_fail(err, SP_E_NOTFOUND, "%s: there is no image %d, it holds %d", job->path, job->index,
                       faces->image_count);
    const struct sp_dg2_image *image = &faces->images[job->index - 1];
    const struct sp_image *pixels = job->pixels[job->index - 1];
    if (!pixels)
        return sp_fail(err, SP_E_FORMAT, "%s: image %d does not decode: %s", job->path, job->index,
                       job->why_not[job->index - 1]);
    if (!job->output)
        return SP_OK;
    if (same_file(job->path, job->output))
        return sp_fail(err, SP_E_INVALID, "%s: an image that is taken out never takes its place: give another name",
                       job->output);
    if (image->kind == SP_IMAGE_JPEG)
        status = sp_file_write(job->output, image->bytes, image->length, 0600, err);
    else if ((status = sp_jpeg_write(&jpeg, &length, pixels, JPEG_QUALITY, err)) == SP_OK)
        status = sp_file_write(job->output, jpeg, length, 0600, err);
    free(jpeg);
    job->written = status == SP_OK;
    return status;
}

static bool converted(const struct job *job)
{
    return job->portrait.faces->images[job->index - 1].kind != SP_IMAGE_JPEG;
}

static void json_image(struct sp_json *json, const struct job *job, int at)
{
    const struct sp_dg2_image *image = &job->portrait.faces->images[at];
    sp_json_open(json, NULL, '{');
    sp_json_number(json, "index", at + 1);
    sp_json_text(json, "encoding", sp_dg2_encoding_word(image->encoding));
    sp_json_text(json, "version", image->version);
    sp_json_number(json, "instance", image->instance);
    sp_json_text(json, "kind", sp_image_kind_word(image->kind));
    sp_json_text(json, "declared_kind", sp_image_kind_word(image->declared));
    sp_json_number(json, "offset", (double)image->offset);
    sp_json_number(json, "bytes", (double)image->length);
    sp_json_number(json, "declared_width", image->width);
    sp_json_number(json, "declared_height", image->height);
    sp_json_number(json, "quality", image->quality);
    sp_json_number(json, "face_type", image->face_type);
    sp_json_text(json, "captured", image->captured);
    sp_json_bool(json, "decodes", job->pixels[at] != NULL);
    if (job->pixels[at]) {
        sp_json_number(json, "width", job->pixels[at]->width);
        sp_json_number(json, "height", job->pixels[at]->height);
    } else {
        sp_json_text(json, "why_not", job->why_not[at]);
    }
    sp_json_close(json, '}');
}

static void print_json(const struct job *job, const struct sp_err *err)
{
    struct sp_json json = {stdout, false};
    const struct sp_dg2 *faces = job->portrait.faces;
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "file", job->path);
    if (faces) {
        sp_json_text(&json, "holds", job->portrait.is_dg2 ? "dg2" : "picture");
        sp_json_open(&json, "images", '[');
        for (int i = 0; i < faces->image_count; i++)
            json_image(&json, job, i);
        sp_json_close(&json, ']');
        sp_json_open(&json, "remarks", '[');
        for (int i = 0; i < sp_remarks_noted(&faces->remarks); i++) {
            sp_json_open(&json, NULL, '{');
            sp_json_number(&json, "offset", (double)faces->remarks.items[i].offset);
            sp_json_text(&json, "text", faces->remarks.items[i].text);
            sp_json_close(&json, '}');
        }
        sp_json_close(&json, ']');
        sp_json_number(&json, "remark_count", faces->remarks.count);
    }
    if (job->written) {
        sp_json_text(&json, "output", job->output);
        sp_json_bool(&json, "converted", converted(job));
    }
    if (err->text[0])
        sp_json_text(&json, "error", err->text);
    sp_json_close(&json, '}');
    printf("\n");
}

static void print_image(const struct job *job, int at)
{
    const struct sp_dg2_image *image = &job->portrait.faces->images[at];
    printf("image %d: %s, %zu bytes at offset %zu", at + 1, sp_image_kind_word(image->kind), image->length,
           image->offset);
    if (job->pixels[at])
        printf(", %d x %d px\n", job->pixels[at]->width, job->pixels[at]->height);
    else
        printf(", does not decode: %s\n", job->why_not[at]);
    if (image->encoding == SP_DG2_PICTURE)
        return;
    printf("  record: ISO/IEC %s version %s, instance %d, says %s, %d x %d px",
           sp_dg2_encoding_word(image->encoding), image->version, image->instance,
           image->declared == SP_IMAGE_JP2    ? "jpeg 2000"
           : image->declared == SP_IMAGE_JPEG ? "jpeg"
                                              : "no type",
           image->width, image->height);
    if (image->quality >= 0)
        printf(", quality %d", image->quality);
    if (image->captured[0])
        printf(", captured %s", image->captured);
    printf("\n");
}

static void print_text(const struct job *job)
{
    const struct sp_dg2 *faces = job->portrait.faces;
    if (!faces)
        return;
    printf("%s: %s, %d image%s\n", job->path, job->portrait.is_dg2 ? "DG2" : "picture", faces->image_count,
           faces->image_count == 1 ? "" : "s");
    for (int i = 0; i < faces->image_count; i++)
        print_image(job, i);
    for (int i = 0; i < sp_remarks_noted(&faces->remarks); i++)
        printf("remark: offset %zu: %s\n", faces->remarks.items[i].offset, faces->remarks.items[i].text);
    if (faces->remarks.count > SP_REMARKS_MAX)
        printf("remark: and %d more\n", faces->remarks.count - SP_REMARKS_MAX);
    if (job->written)
        printf("image %d is in %s, %s\n", job->index, job->output,
               converted(job) ? "converted to JPEG" : "byte for byte");
}

static void clear(struct job *job)
{
    for (int i = 0; i < SP_DG2_MAX_IMAGES; i++)
        sp_image_free(&job->pixels[i]);
    sp_portrait_clear(&job->portrait);
    free(job->bytes);
}

int sp_manifest_portrait_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"index", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    struct job job = {.index = 1};
    struct sp_err err = {0};
    for (int option; (option = getopt_long(argc, argv, "o:n:", options, NULL)) != -1;) {
        char after = 0;
        if (option == 'o')
            job.output = optarg;
        else if (option == 'j')
            job.as_json = true;
        else if (option == 'n' && sscanf(optarg, "%3d%c", &job.index, &after) == 1 && job.index >= 1)
            continue;
        else
            return sp_command_usage("manifest portrait",
                                    option == 'n' ? "--index counts from 1" : "option not understood");
    }
    if (argc - optind != 1)
        return sp_command_usage("manifest portrait", "expected one FILE");
    job.path = argv[optind];
    enum sp_status status = open_portrait(&job, &err);
    if (status == SP_OK)
        status = take_out(&job, &err);
    if (job.as_json)
        print_json(&job, &err);
    else
        print_text(&job);
    clear(&job);
    return status == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}
