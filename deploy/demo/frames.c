/* sallyport-demo-frames: makes the demo's travellers out of the six sample photos of the model package.
 *
 * The strong detector finds the faces; each becomes a sample traveller named by photo and place from the left
 * (P1F2 = photo 1, second face). Most are on a sample flight or a sample vessel, some on no manifest: strangers.
 * Written to DIR: flight.csv and vessel.csv (manifests), portraits/REF.jpg, frames/LANE/REF-ALTERATION.jpg, and
 * truth.csv (frame file, lane, alteration, expected traveller_ref or "-").
 *
 * One woman is in two photos (P1's rightmost face is P3's middle one): she is enrolled from photo 1 and probed from
 * both, and is one person in the truth. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/program.h"
#include "common/seal.h"
#include "deploy/demo/alter.h"
#include "workers/vision.h"

enum { PHOTO_COUNT = 6, MAX_PEOPLE = 64, PHOTO_MAX_BYTES = 32 << 20 };
enum place { STRANGER, FLIGHT, VESSEL };

struct person {
    char ref[32];
    int photo, face; /* place from the left, 1... */
    struct demo_square square;
};

struct maker {
    const char *directory;
    struct sp_engine *engine;
    struct sp_pack pack;
    struct sp_vision *vision;
    struct sp_image *photos[PHOTO_COUNT];
    int count;
    struct person people[MAX_PEOPLE];
    FILE *truth, *manifests[3];
};

static const char *const lanes[] = {NULL, "A1", "G1"};

static int left_to_right(const void *a, const void *b)
{
    float left = ((const struct sp_face *)a)->box.x0, right = ((const struct sp_face *)b)->box.x0;
    return (left > right) - (left < right);
}

/* The face with as much around it as a gate's camera shows. */
static struct demo_square square_of(const struct sp_face *face)
{
    float width = face->box.x1 - face->box.x0, height = face->box.y1 - face->box.y0;
    return (struct demo_square){(face->box.x0 + face->box.x1) / 2, (face->box.y0 + face->box.y1) / 2,
                                2.0f * (width > height ? width : height)};
}

static enum sp_status find_people(struct maker *maker, int photo, const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_image_limits limits = sp_image_limits_default();
    struct sp_vision_timings timings;
    enum sp_vision_mode mode = SP_VISION_ENROL;
    struct sp_faces *faces = calloc(1, sizeof *faces);
    if (!faces)
        return sp_fail(err, SP_E_NOMEM, "no memory");
    enum sp_status status = sp_file_read(&bytes, &length, path, PHOTO_MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_image_decode(&maker->photos[photo], bytes, length, &limits, err);
    const struct sp_image *image = maker->photos[photo];
    if (status == SP_OK)
        status = sp_vision_analyse(maker->vision, 1, &image, &mode, faces, &timings, err);
    if (status == SP_OK)
        qsort(faces->faces, (size_t)faces->count, sizeof faces->faces[0], left_to_right);
    for (int i = 0; status == SP_OK && i < faces->count && maker->count < MAX_PEOPLE; i++) {
        struct person *person = &maker->people[maker->count++];
        *person = (struct person){.photo = photo + 1, .face = i + 1, .square = square_of(&faces->faces[i])};
        snprintf(person->ref, sizeof person->ref, "P%dF%d", photo + 1, i + 1);
    }
    free(faces);
    free(bytes);
    return status;
}

static const struct person *find(const struct maker *maker, int photo, int face)
{
    for (int i = 0; i < maker->count; i++)
        if (maker->people[i].photo == photo && maker->people[i].face == face)
            return &maker->people[i];
    return NULL;
}

static int faces_in(const struct maker *maker, int photo)
{
    int count = 0;
    for (int i = 0; i < maker->count; i++)
        count += maker->people[i].photo == photo;
    return count;
}

/* P3's middle face is the woman at the right of P1: the only person in two photos. */
static const struct person *same_person(const struct maker *maker, const struct person *person)
{
    bool middle_of_3 = person->photo == 3 && person->face == (faces_in(maker, 3) + 1) / 2;
    return middle_of_3 ? find(maker, 1, faces_in(maker, 1)) : person;
}

/* Two of seven are strangers; the others fly or sail by turns. */
static enum place place_of(const struct maker *maker, const struct person *person)
{
    static const enum place turns[] = {FLIGHT, VESSEL, FLIGHT, STRANGER, VESSEL, FLIGHT, STRANGER};
    return turns[(same_person(maker, person) - maker->people) % 7];
}

static enum sp_status write_frames(struct maker *maker, const struct person *person, struct sp_err *err)
{
    const struct person *who = same_person(maker, person);
    enum place place = place_of(maker, person);
    enum sp_status status = SP_OK;
    /* A stranger tries the flight's lane or the vessel's by turns. */
    const char *lane = lanes[place == STRANGER ? 1 + person->face % 2 : (int)place];
    for (const struct demo_alteration *alter = demo_alterations; status == SP_OK && alter->name; alter++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/frames/%s/%s-%s.jpg", maker->directory, lane, person->ref, alter->name);
        status = demo_alter_write(path, maker->photos[person->photo - 1], &person->square, alter, err);
        fprintf(maker->truth, "%s-%s.jpg,%s,%s,%s\n", person->ref, alter->name, lane,
                person == who ? alter->name : "other photo", place == STRANGER ? "-" : who->ref);
    }
    return status;
}

static void write_row(struct maker *maker, const struct person *person, enum place place)
{
    static const char *const journeys[] = {NULL, "ZX,417,air,JFK,LIS,2026-12-04T18:20,2026-12-05T06:10,exit",
                                           "EXCR,V0881,sea,USMIA,NSNAS,2026-12-03T17:00,2026-12-05T06:00,exit"};
    fprintf(maker->manifests[place],
            "%s,%s,passenger,SAMPLE,PERSON %s,1990-01-01,X,UTO,P,X%08d,UTO,2031-06-30,,,,,no,\n", journeys[place],
            person->ref, person->ref, 17 + (int)(person - maker->people));
}

static enum sp_status write_people(struct maker *maker, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; status == SP_OK && i < maker->count; i++) {
        const struct person *person = &maker->people[i];
        enum place place = place_of(maker, person);
        status = write_frames(maker, person, err);
        if (status != SP_OK || place == STRANGER || same_person(maker, person) != person)
            continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/portraits/%s.jpg", maker->directory, person->ref);
        status =
            demo_alter_write(path, maker->photos[person->photo - 1], &person->square, &demo_alterations[0], err);
        write_row(maker, person, place);
    }
    return status;
}

/* The vessel's travellers once more, as an agent sends them: PAXLST 15B. */
static enum sp_status write_message(const struct maker *maker, struct sp_err *err)
{
    char path[4096];
    int travellers = 0;
    snprintf(path, sizeof path, "%s/vessel.edi", maker->directory);
    FILE *file = fopen(path, "w");
    if (!file)
        return sp_fail_errno(err, "%s: cannot write", path);
    fputs("UNH+VSL001+PAXLST:D:15B:UN'\nBGM+745'\nRFF+TN:SAMPLE0001'\nNAD+MS+++SAMPLE CRUISES AGENT'\n"
          "TDT+20+V0881+1++EXCR+++9000001:146::MV SAMPLE STAR:UTO'\nLOC+125+USMIA'\nDTM+189:2612031700:201'\n"
          "LOC+87+NSNAS'\nDTM+232:2612050600:201'\n",
          file);
    for (int i = 0; i < maker->count; i++) {
        const struct person *person = &maker->people[i];
        if (place_of(maker, person) != VESSEL || same_person(maker, person) != person)
            continue;
        travellers++;
        fprintf(file,
                "NAD+FL+++SAMPLE:PERSON %s'\nATT+2++X'\nDTM+329:19900101:102'\nNAT+2+UTO'\nRFF+ABO:%s'\n"
                "DOC+P:110:111+X%08d'\nDTM+36:20310630:102'\nLOC+91+UTO'\n",
                person->ref, person->ref, 17 + i);
    }
    fprintf(file, "CNT+42:%d'\nUNT+%d+VSL001'\n", travellers, 9 + 8 * travellers + 2);
    bool written = !ferror(file);
    return fclose(file) == 0 && written ? SP_OK : sp_fail(err, SP_E_IO, "%s: not written", path);
}

static enum sp_status make_folders(const char *directory, struct sp_err *err)
{
    static const char *const folders[] = {"", "/portraits", "/frames", "/frames/A1", "/frames/G1"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", directory, folders[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return sp_fail_errno(err, "%s: cannot make the folder", path);
    }
    return SP_OK;
}

static enum sp_status open_table(FILE **ret_file, const char *directory, const char *name, const char *header,
                                 struct sp_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    *ret_file = fopen(path, "w");
    if (!*ret_file)
        return sp_fail_errno(err, "%s: cannot write", path);
    fprintf(*ret_file, "%s\n", header);
    return SP_OK;
}

static enum sp_status open_tables(struct maker *maker, struct sp_err *err)
{
    static const char columns[] =
        "carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,direction,traveller_ref,role,surname,given,dob,"
        "sex,"
        "nationality,doc_type,doc_number,doc_issuer,doc_expiry,pnr,seat_or_cabin,embark,debark,transit,photo_uri";
    enum sp_status status = make_folders(maker->directory, err);
    if (status == SP_OK)
        status = open_table(&maker->manifests[FLIGHT], maker->directory, "flight.csv", columns, err);
    if (status == SP_OK)
        status = open_table(&maker->manifests[VESSEL], maker->directory, "vessel.csv", columns, err);
    if (status == SP_OK)
        status = open_table(&maker->truth, maker->directory, "truth.csv", "frame,lane,alteration,expected", err);
    return status;
}

static enum sp_status make(struct maker *maker, const char *pack, const char *photos, struct sp_err *err)
{
    struct sp_engine_config engine = {.backend = SP_BACKEND_AUTO, .threads = 1};
    struct sp_vision_limits limits = sp_vision_limits_default();
    enum sp_status status = sp_pack_load(&maker->pack, pack, err);
    if (status == SP_OK)
        status = sp_engine_open(&maker->engine, &engine, err);
    if (status == SP_OK)
        status = sp_vision_new(&maker->vision, maker->engine, &maker->pack, &limits, 1, err);
    if (status == SP_OK)
        status = open_tables(maker, err);
    for (int photo = 0; status == SP_OK && photo < PHOTO_COUNT; photo++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/sample%d.jpg", photos, photo + 1);
        status = find_people(maker, photo, path, err);
    }
    if (status == SP_OK)
        status = write_people(maker, err);
    if (status == SP_OK)
        status = write_message(maker, err);
    return status;
}

static void clear(struct maker *maker)
{
    FILE *const files[] = {maker->truth, maker->manifests[FLIGHT], maker->manifests[VESSEL]};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i])
            fclose(files[i]);
    for (int photo = 0; photo < PHOTO_COUNT; photo++)
        sp_image_free(&maker->photos[photo]);
    sp_vision_free(&maker->vision);
    sp_engine_free(&maker->engine);
}

int main(int argc, char **argv)
{
    const char *pack = NULL, *photos = NULL, *output = NULL;
    const struct sp_flag flags[] = {
        {"pack", "DIR", "the model pack", &pack, NULL},
        {"photos", "DIR", "the folder with sample1.jpg to sample6.jpg", &photos, NULL},
        {"output", "DIR", "where manifests, portraits and frames go", &output, NULL},
        {NULL},
    };
    const struct sp_program program = {
        .name = "sallyport-demo-frames",
        .summary = "Make the demo's sample travellers, manifests and frames out of the model package's six photos.",
        .example =
            "sallyport-demo-frames --pack build/pack/face-api --photos build/pack/package/demo --output /tmp/demo",
        .flags = flags,
    };
    int first = 0, code = 0;
    if (sp_program_start(&program, argc, argv, &first, &code) == SP_PROGRAM_EXIT)
        return code;
    if (!pack || !photos || !output) {
        fprintf(stderr, "%s: --pack, --photos and --output are all needed; see --help\n", program.name);
        return SP_EXIT_USAGE;
    }
    struct sp_err err = {0};
    struct maker *maker = calloc(1, sizeof *maker);
    enum sp_status status = maker ? sp_seal_start(&err) : sp_fail(&err, SP_E_NOMEM, "no memory");
    if (status == SP_OK) {
        maker->directory = output;
        status = make(maker, pack, photos, &err);
    }
    if (status == SP_OK)
        printf("%d faces of %d people\n", maker->count, maker->count - 1);
    else
        fprintf(stderr, "%s: %s\n", program.name, err.text);
    if (maker)
        clear(maker);
    free(maker);
    return sp_program_exit_code(status);
}
