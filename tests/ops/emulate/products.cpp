#include "tests/ops/emulate/products.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "gpu/cuda_half.h"
#include "tests/ops/emulate/sanitize.h"

[[noreturn]] static void give_up(const char *why)
{
    std::fprintf(stderr, "emulated launch: %s\n", why);
    std::abort();
}

/* Number k (0 to 15) of row `row` of the factor that the descriptor says: the address as if rows of 128 bytes lay
 * one after the other, eight of them 1024 bytes, then its bits 4 to 6 changed by its bits 7 to 9. */
static float number_of(const char *shared, uint64_t descriptor, int row, int k, bool bf16)
{
    uint64_t start = (descriptor & 0x3fff) << 4, eight_rows = (descriptor >> 32 & 0x3fff) << 4;
    uint64_t address = start + (uint64_t)(row / 8) * eight_rows + (uint64_t)(row % 8) * 128 + (uint64_t)k * 2;
    const char *at = shared + (address ^ (address >> 7 & 7) << 4);
    uint16_t bits;
    tsan_read(at, sizeof bits);
    std::memcpy(&bits, at, sizeof bits);
    return bf16 ? sp_bf16_value(bits) : sp_half_value(bits);
}

static void check(uint64_t descriptor)
{
    if (descriptor >> 62 != 1)
        give_up("a factor that is not swizzled by 128 bytes");
    if ((descriptor >> 49 & 7) != 0 || (descriptor >> 32 & 0x3fff) != 1024 / 16)
        give_up("a factor whose rows lie otherwise than the kernel writes them");
    if ((descriptor & 0x3f) >= 8)
        give_up("a factor that does not begin at a multiple of 1024 bytes, or further along k than a row is long");
}

std::vector<float> sp_products::compute(const one &product)
{
    std::vector<float> sums((size_t)product.blocks * 4);
    int first = product.thread / 32 % 4 * 16 + product.thread % 32 / 4, column = product.thread % 4 * 2;
    float left[2][16];
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < 16; k++)
            left[side][k] = number_of(product.shared, product.a, first + 8 * side, k, product.bf16);
    for (int block = 0; block < product.blocks; block++)
        for (int c = 0; c < 2; c++)
            for (int k = 0; k < 16; k++) {
                float right = number_of(product.shared, product.b, block * 8 + column + c, k, product.bf16);
                for (int side = 0; side < 2; side++)
                    sums[(size_t)(block * 4 + side * 2 + c)] += left[side][k] * right;
            }
    return sums;
}

void sp_products::product(int thread, float *d, int blocks, const char *shared, uint64_t a, uint64_t b, bool bf16)
{
    check(a);
    check(b);
    one issued{thread, blocks, d, shared, a, b, bf16, {}};
    issued.first = compute(issued);
    groups.back().push_back(issued);
}

void sp_products::commit()
{
    groups.emplace_back();
}

void sp_products::wait(int left)
{
    while ((int)groups.size() - 1 > left) {
        for (const one &each : groups.front()) {
            std::vector<float> sums = compute(each);
            if (std::memcmp(sums.data(), each.first.data(), sums.size() * sizeof(float)) != 0)
                give_up("the factors of a product changed before it was waited for");
            for (size_t i = 0; i < sums.size(); i++)
                each.d[i] += sums[i];
        }
        groups.erase(groups.begin());
    }
}

bool sp_products::open() const
{
    for (const auto &group : groups)
        if (!group.empty())
            return true;
    return false;
}
