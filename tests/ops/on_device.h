// For tests that call launchers directly, one source for a device and for the emulation: the device, and numbers on
// it between guard zones that nobody may write, or ending where the allocation ends, for AddressSanitizer and
// compute-sanitizer. Guards and new memory hold bytes that read as NaN. C++.
#ifndef SALLYPORT_TESTS_OPS_ON_DEVICE_H
#define SALLYPORT_TESTS_OPS_ON_DEVICE_H

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
extern "C" {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" // a function with the name of a struct, as C has them
#include "gpu/cuda_device.h"
#pragma GCC diagnostic pop
}

struct test_device {
    sp_cuda *cuda = nullptr;
    sp_cuda_stream *stream = nullptr;
    size_t guard_bytes = 0; // before and behind every buffer
    bool emulated = false;

    void *native() const
    {
        return sp_cuda_stream_native(stream);
    }
};
inline test_device device;

inline void must(enum sp_status status, const sp_err &err)
{
    if (status)
        fail_msg("%s", err.text);
}

template <class T> class on_device
{
  public:
    explicit on_device(const std::vector<T> &values) : count(values.size())
    {
        put(values.data());
    }
    // For results: nothing in it yet.
    static on_device fresh(size_t count)
    {
        std::vector<T> values(count);
        memset(static_cast<void *>(values.data()), 0xff, count * sizeof(T));
        return on_device(values);
    }
    on_device(on_device &&other) noexcept : count(other.count), memory(other.memory)
    {
        other.memory = nullptr;
    }
    on_device(const on_device &) = delete;
    ~on_device()
    {
        sp_cuda_memory_free(device.cuda, &memory);
    }
    T *at() const
    {
        return reinterpret_cast<T *>(static_cast<uint8_t *>(memory) + device.guard_bytes);
    }
    // Waits for the stream; the guard zones must be as they were.
    std::vector<T> read() const
    {
        sp_err err = {};
        size_t bytes = 2 * device.guard_bytes + count * sizeof(T);
        if (!bytes)
            return {};
        std::vector<uint8_t> all(bytes);
        must(sp_cuda_copy_out(device.stream, all.data(), memory, all.size(), &err), err);
        must(sp_cuda_wait(device.stream, &err), err);
        for (size_t i = 0; i < device.guard_bytes; i++)
            assert_true(all[i] == 0xff && all[all.size() - 1 - i] == 0xff);
        std::vector<T> values(count);
        memcpy(static_cast<void *>(values.data()), all.data() + device.guard_bytes, count * sizeof(T));
        return values;
    }

  private:
    size_t count;
    void *memory = nullptr; // null for nothing without guards

    void put(const T *values)
    {
        sp_err err = {};
        size_t bytes = 2 * device.guard_bytes + count * sizeof(T);
        if (!bytes)
            return;
        std::vector<uint8_t> all(bytes, 0xff);
        if (count)
            memcpy(all.data() + device.guard_bytes, values, count * sizeof(T));
        must(sp_cuda_memory_new(&memory, device.cuda, all.size(), &err), err);
        must(sp_cuda_upload(device.cuda, memory, all.data(), all.size(), &err), err);
    }
};

// Open the device; -1, or the exit code of a test that cannot run.
inline int open_device(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[1], "--skips-as-fails") == 0;
    sp_engine_config config = {};
    sp_err err = {};
    char text[160];
    config.backend = SP_BACKEND_CUDA;
    config.wgmma = true;
    if (sp_cuda_open(&device.cuda, &config, text, sizeof text, &err)) {
        printf("%s: %s\n", strict ? "FAIL" : "SKIP", err.text);
        return strict ? 1 : 77;
    }
    printf("%s\n", text);
    device.emulated = strstr(text, "emulated") != nullptr;
    if (sp_cuda_enter(device.cuda, &err) || sp_cuda_stream_new(&device.stream, device.cuda, &err)) {
        printf("FAIL: %s\n", err.text);
        return 1;
    }
    return -1;
}

inline void close_device()
{
    sp_cuda_stream_free(&device.stream);
    sp_cuda_close(&device.cuda);
}

// Everything runs twice: with guards, and to the end of memory. tests: an array of CMUnitTest.
#define RUN_ON_DEVICE(failed, name, tests)                                                                         \
    do {                                                                                                           \
        (failed) = 0;                                                                                              \
        device.guard_bytes = 512;                                                                                  \
        if (!getenv("SALLYPORT_QUICK")) /* a sanitizer sees the ends by itself */                                  \
            (failed) = cmocka_run_group_tests_name(name " between guards", tests, nullptr, nullptr);               \
        device.guard_bytes = 0;                                                                                    \
        (failed) += cmocka_run_group_tests_name(name " to the end of memory", tests, nullptr, nullptr);            \
    } while (0)

#endif
