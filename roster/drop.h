/* A watched folder: files come in, and leave it to done/ or rejected/ (docs/manifests.md 9.1). Knows nothing of listings.
 *
 * Names and contents come from outside: everything is opened from the folder's descriptor, links are not followed, only
 * regular files of bounded size are read, a move never replaces a file. One process at a time works on a folder (flock on its
 * descriptor). A file is complete when nobody has it open for writing (a read lease says so) and it has rested for a second;
 * where the lease cannot be had (another owner's file, a network file system), when it has rested for ten. Renaming
 * a complete file into the folder is the sure way. */
#ifndef SALLYPORT_ROSTER_DROP_H
#define SALLYPORT_ROSTER_DROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_DROP_NAME_MAX   200    /* bytes of a name: room is left for what is added to it */
#define SP_DROP_MAX_FILES  10000  /* that one look at the folder takes; the rest waits for the next */
#define SP_DROP_REST_MS    1000
#define SP_DROP_REST_UNSURE_MS 10000

struct sp_drop;

/* Opens the folder, makes done/ and rejected/ in it (mode 0750) and watches it; the process ignores SIGIO from then on. SP_E_CONFLICT: another process works on it. */
enum sp_status sp_drop_open(struct sp_drop **ret_drop, const char *directory, struct sp_err *err);
void sp_drop_free(struct sp_drop **drop);

/* Which bytes a name had: what takes the name later, or is written in place, has another stamp. Zero: not known. (No
 * time of the inode: a move changes it.) */
struct sp_drop_stamp {
    uint64_t device, inode, size;
    int64_t changed_ns;
};

enum sp_drop_state {
    SP_DROP_COMPLETE, /* may be read */
    SP_DROP_GROWING,  /* look again later */
    SP_DROP_REFUSED,  /* never to be read: why says so; moved to rejected/ if it is a regular file, else left alone */
};
struct sp_drop_file {
    char name[SP_DROP_NAME_MAX + 1];
    enum sp_drop_state state;
    bool regular;
    bool strange;     /* the name cannot be shown or kept as it is: name holds a form that can */
    const char *why;  /* of SP_DROP_REFUSED; static */
    int64_t rest_ms;  /* since it was last changed */
    struct sp_drop_stamp stamp;
};
/* What lies there, by name; hidden files, NAME.sig, NAME.part, NAME.tmp and folders are left out. *ret_files is one
 * allocation, the caller frees it. now_ms: wall clock. */
enum sp_status sp_drop_look(struct sp_drop *drop, int64_t now_ms, size_t max_bytes, struct sp_drop_file **ret_files,
                            int *ret_count, struct sp_err *err);
/* True for names that a look leaves out. */
bool sp_drop_ignores(const char *name);
/* True for a name that is kept as it is: no control characters, UTF-8 or not, not too long, no '/'. */
bool sp_drop_name_ok(const char *name);

/* A regular file of the folder; the caller frees. ret_stamp: of what was read, also with SP_E_LIMIT. SP_E_NOTFOUND, SP_E_LIMIT, SP_E_IO;
 * SP_E_CONFLICT: somebody writes it. */
enum sp_status sp_drop_read(struct sp_drop *drop, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                            size_t *ret_length, struct sp_drop_stamp *ret_stamp, struct sp_err *err);
bool sp_drop_there(struct sp_drop *drop, const char *name);

enum sp_drop_place { SP_DROP_DONE, SP_DROP_REJECTED };
/* The name under which a file may go there: its own, else with .2, .3 ... so that nothing is replaced. ret_name:
 * SP_DROP_NAME_MAX + 16. */
enum sp_status sp_drop_free_name(struct sp_drop *drop, enum sp_drop_place place, const char *name, char *ret_name,
                                 struct sp_err *err);
/* Write place/<name><suffix>, replacing what a run that died has left. Durable when it returns. */
enum sp_status sp_drop_write(struct sp_drop *drop, enum sp_drop_place place, const char *name, const char *suffix,
                             const void *bytes, size_t length, struct sp_err *err);
/* Move name to place/as, if it still has this stamp (zero: whatever it is). SP_E_EXISTS: somebody took the name there meanwhile;
 * SP_E_NOTFOUND: it is gone; SP_E_CONFLICT: the name has other bytes by now, or will have, and keeps them. Durable. */
enum sp_status sp_drop_move(struct sp_drop *drop, const char *name, const struct sp_drop_stamp *stamp,
                            enum sp_drop_place place, const char *as, struct sp_err *err);
/* Wait until something happens in the folder, the other descriptor (a signal's; -1: none) becomes readable, or the time is over.
 * True: the other descriptor is readable. */
bool sp_drop_wait(struct sp_drop *drop, int other, int timeout_ms);

#endif
