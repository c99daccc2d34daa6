/* A private redis-server for a test: on a unix socket in a folder of its own, nothing on TCP, nothing saved. */
#ifndef SALLYPORT_TESTS_SUPPORT_REDIS_SERVER_H
#define SALLYPORT_TESTS_SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include "tests/support/folder.h"

struct redis_server {
    char folder[TEST_FOLDER_MAX];
    char address[TEST_FOLDER_MAX + 32]; /* "unix:/.../redis.sock", for struct sp_store_config */
    int pid;                            /* 0: not running */
};

/* True if redis-server is installed; a test that needs it exits 77 otherwise. */
bool redis_server_present(void);
/* Make the folder and start the server; it answers when this returns. config: further lines of redis.conf or NULL, e.g.
 * "user desk on >secret ~sp:* +@all\nuser default off\n". Ends the program when the server does not come up in 10 s. */
void redis_server_start(struct redis_server *server, const char *config);
/* kill -9 and wait for its end; folder and configuration stay. */
void redis_server_kill(struct redis_server *server);
/* Start again on the same socket, empty. */
void redis_server_restart(struct redis_server *server);
/* Kill and remove the folder. */
void redis_server_stop(struct redis_server *server);

#endif
