// What the kernels share. No torch: pointers and sizes, checked by whoever calls.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <omp.h>

#define KERNEL extern "C" __attribute__((visibility("default")))

// bfloat16 is the upper half of a float32.
struct bf16 {
    uint16_t bits;
};

static inline float widen(float x) { return x; }

static inline float widen(bf16 x) {
    uint32_t bits = uint32_t(x.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, 4);
    return wide;
}

static inline void put(float *to, float x) { *to = x; }

// Rounds to the nearest, ties to even, as PyTorch does; what is no number stays none.
static inline void put(bf16 *to, float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    to->bits = x != x ? 0x7FC0 : uint16_t(rounded);
}

// exp(x) to about 2 units in the last place, in a form that compilers vectorise; 0 below -87, large above 88.
static inline float fast_exp(float x) {
    x = x < -87.3f ? -87.3f : (x > 88.3f ? 88.3f : x);
    float n = std::nearbyint(x * 1.44269504f);
    float r = std::fma(n, -0.693359375f, x);
    r = std::fma(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = std::fma(p, r, 1.3981999507e-3f);
    p = std::fma(p, r, 8.3334519073e-3f);
    p = std::fma(p, r, 4.1665795894e-2f);
    p = std::fma(p, r, 1.6666665459e-1f);
    p = std::fma(p, r, 5.0000001201e-1f);
    p = std::fma(p, r * r, r + 1.0f);
    int32_t bits = (int32_t(n) + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return x <= -87.3f ? 0.0f : p * power;
}

// work(first, last) for parts of `count` items, on `threads` threads; one thread pays for no hand-over.
template <class Work> static inline void share_out(int64_t count, int64_t threads, Work work) {
    if (threads > count) threads = count;
    if (threads <= 1) {
        if (count > 0) work(int64_t(0), count);
        return;
    }
#pragma omp parallel num_threads(int(threads))
    {
        int64_t me = omp_get_thread_num(), all = omp_get_num_threads();
        work(count * me / all, count * (me + 1) / all);
    }
}
