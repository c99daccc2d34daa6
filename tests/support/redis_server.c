#include "tests/support/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define PROGRAM     "redis-server"
#define DEADLINE_NS 10000000000ull

bool redis_server_present(void)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        char file[TEST_PATH_MAX];
        snprintf(file, sizeof file, "%.*s/" PROGRAM, (int)strcspn(at, ":"), at);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

/* The server takes connections and answers PING, even if only to say that one must log in first. */
static bool answers(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char reply[64];
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && recv(fd, reply, sizeof reply, 0) > 0;
    close(fd);
    return good;
}

static void run_server(const struct redis_server *server)
{
    char config[TEST_PATH_MAX], log[TEST_PATH_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays behind when a test is killed */
    int fd = open(test_folder_path(log, server->folder, "redis.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execlp(PROGRAM, PROGRAM, test_folder_path(config, server->folder, "redis.conf"), (char *)NULL);
    _exit(127);
}

void redis_server_restart(struct redis_server *server)
{
    const struct timespec pause = {0, 5000000};
    uint64_t deadline = sp_clock_mono_ns() + DEADLINE_NS;
    server->pid = fork();
    if (server->pid == 0)
        run_server(server);
    while (!answers(server)) {
        if (server->pid < 0 || waitpid(server->pid, NULL, WNOHANG) != 0 || sp_clock_mono_ns() > deadline) {
            fprintf(stderr, "redis-server does not come up, see %s/redis.log\n", server->folder);
            exit(1);
        }
        nanosleep(&pause, NULL);
    }
}

void redis_server_start(struct redis_server *server, const char *config)
{
    char text[8192];
    memset(server, 0, sizeof *server);
    test_folder_new(server->folder);
    snprintf(server->address, sizeof server->address, "unix:%s/redis.sock", server->folder);
    int length = snprintf(text, sizeof text,
                          "port 0\nunixsocket %s/redis.sock\nunixsocketperm 700\ndir %s\nsave \"\"\n"
                          "appendonly no\nenable-debug-command local\n%s",
                          server->folder, server->folder, config ? config : "");
    test_folder_write(server->folder, "redis.conf", text, (unsigned long)length, 0600);
    redis_server_restart(server);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

void redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    if (server->folder[0])
        test_folder_remove(server->folder);
    server->folder[0] = 0;
}
