/* The Lua scripts of the sources, as text. Each touches the keys of one slot tag. */
#ifndef SALLYPORT_ROSTER_MANIFEST_SCRIPT_H
#define SALLYPORT_ROSTER_MANIFEST_SCRIPT_H

extern const char sp_manifest_script_create[]; /* a hash of wrapped keys, unless it exists */
extern const char sp_manifest_script_flip[];   /* the fenced compare-and-set of a manifest's version */
extern const char sp_manifest_script_swap[];   /* compare-and-set of a string's bytes */

extern const char sp_manifest_script_purge[];  /* CLOSED to PURGED, with an expiry */
extern const char sp_manifest_script_tidy[];   /* a flip that deletes hash fields with it */

#endif
