/* The cpu backend: nets by oneDNN where it is built in, matches by vector code. */
#include "gpu/backend.h"
#include "gpu/cpu_match.h"
#include "gpu/cpu_net.h"

const struct sp_backend_ops sp_backend_cpu = {
    .name = "cpu",
    .open = sp_cpu_open,
    .close = sp_cpu_close,
    .net_new = sp_cpu_net_new,
    .net_run = sp_cpu_net_run,
    .net_describe = sp_cpu_net_describe,
    .net_free = sp_cpu_net_free,
    .gallery_new = sp_cpu_gallery_new,
    .gallery_free = sp_cpu_gallery_free,
    .match = sp_cpu_match,
};
