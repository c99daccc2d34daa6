/* The pinned npm package @vladmandic/face-api 1.7.15: fetched by the npm client or given as a file, its bytes
 * checked against the hash written here, then unpacked into a private directory. */
#ifndef SALLYPORT_OPS_PACKAGE_H
#define SALLYPORT_OPS_PACKAGE_H

#include "common/status.h"

#define SP_PACKAGE_NAME   "@vladmandic/face-api@1.7.15"
#define SP_PACKAGE_PHOTOS 6

struct sp_package;

/* tarball NULL: `npm pack` (SP_E_UNAVAILABLE where npm is missing or cannot fetch). SP_E_AUTH where the bytes are
 * not those of the pinned version; nothing is unpacked then. Blocking; starts npm and tar as child processes. */
enum sp_status sp_package_open(struct sp_package **ret_package, const char *tarball, struct sp_err *err);
/* Removes the private directory. */
void sp_package_free(struct sp_package **package);

/* Where the weight files lie; valid until free. The photos are demo/sample1.jpg .. sample6.jpg below the root. */
const char *sp_package_models(const struct sp_package *package);
const char *sp_package_root(const struct sp_package *package);

#endif
