/* The table of ports (site.ports, deploy/ports.csv): which time zone a port has, and which ports are the site's own. CSV with a
 * header: port,zone[,name][,site]; port is an IATA or UN/LOCODE code, zone a name of the tz database, site "yes" or "". */
#ifndef SALLYPORT_ROSTER_PORTS_H
#define SALLYPORT_ROSTER_PORTS_H

#include "roster/zone.h"

#define SP_PORTS_MAX 20000

struct sp_ports;

/* Errors name file and line: a zone that can be none, a port twice, a code that is none. Reads no zone. Blocking for the file. */
enum sp_status sp_ports_read(struct sp_ports **ret_ports, const char *path, struct sp_err *err);
enum sp_status sp_ports_parse(struct sp_ports **ret_ports, const char *name, const void *bytes, size_t length,
                              struct sp_err *err);
void sp_ports_free(struct sp_ports **ports); /* NULL is fine */

/* The zone's name, "" if the port is not in the table; any case. ports NULL: "". */
const char *sp_ports_zone(const struct sp_ports *ports, const char *port);
/* The site's own ports, as they stand in the table; *ret_count 0: none is marked. They live as long as ports. */
const char *const *sp_ports_site(const struct sp_ports *ports, int *ret_count);

#endif
