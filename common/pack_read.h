/* The text of a pack.yaml -> struct sp_pack: values only, no file is opened and no hash computed. */
#ifndef SALLYPORT_COMMON_PACK_READ_H
#define SALLYPORT_COMMON_PACK_READ_H

#include "common/pack.h"
#include "common/yaml.h"

/* Fill every field of ret_pack except net.path and fingerprint. Unknown keys, missing keys and wrong values are
 * SP_E_FORMAT with file, line and key. Pure. */
enum sp_status sp_pack_read(struct sp_pack *ret_pack, const struct sp_yaml *yaml, struct sp_err *err);

#endif
