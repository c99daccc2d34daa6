#include "gpu/cuda.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODULE_FILE "sallyport_cuda.so"

/* Where packagers put it; a compile-time choice and no other, so that nobody's environment chooses what is loaded.
 */
#ifndef SALLYPORT_CUDA_MODULE
#define SALLYPORT_CUDA_MODULE ""
#endif

/* The running program's folder, without the last slash. */
static enum sp_status program_folder(char *ret_folder, size_t size, struct sp_err *err)
{
    ssize_t length = readlink("/proc/self/exe", ret_folder, size - 1);
    if (length <= 0)
        return sp_fail(err, SP_E_UNSUPPORTED, "cuda: cannot tell where the program lies, so no " MODULE_FILE);
    ret_folder[length] = '\0';
    char *slash = strrchr(ret_folder, '/');
    if (slash)
        *slash = '\0';
    return SP_OK;
}

static enum sp_status take_table(void *module, const char *path, const struct sp_backend_ops **ret_backend,
                                 struct sp_err *err)
{
    sp_cuda_module_fn *entry;
    void *symbol = dlsym(module, SP_CUDA_MODULE_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    const struct sp_backend_ops *backend = entry ? entry(SP_CUDA_MODULE_VERSION) : NULL;
    if (!backend)
        return sp_fail(err, SP_E_UNSUPPORTED,
                       "cuda: %.200s is of another build (version %d wanted); install program and module together",
                       path, SP_CUDA_MODULE_VERSION);
    *ret_backend = backend;
    return SP_OK;
}

enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err)
{
    char folder[PATH_MAX], paths[3][PATH_MAX + 64];
    enum sp_status status = program_folder(folder, sizeof folder, err);
    if (status)
        return status;
    snprintf(paths[0], sizeof paths[0], "%s/" MODULE_FILE, folder);
    snprintf(paths[1], sizeof paths[1], "%s/../lib/sallyport/" MODULE_FILE, folder);
    snprintf(paths[2], sizeof paths[2], "%s", SALLYPORT_CUDA_MODULE);
    for (int i = 0; i < 3; i++) {
        if (!paths[i][0] || access(paths[i], F_OK) != 0)
            continue;
        void *module = dlopen(paths[i], RTLD_NOW | RTLD_LOCAL);
        if (!module) {
            const char *reason = dlerror();
            return sp_fail(err, SP_E_UNSUPPORTED, "cuda: the module cannot be loaded: %.300s",
                           reason ? reason : "no reason given");
        }
        status = take_table(module, paths[i], ret_backend, err);
        if (status)
            dlclose(module);
        return status;
    }
    return sp_fail(err, SP_E_UNSUPPORTED,
                   "cuda: no " MODULE_FILE " beside the program (%.200s); this build may have none", folder);
}
