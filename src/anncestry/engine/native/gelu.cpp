// GELU by its tanh, and its gradient: 0.5 (1 + tanh(u)) is 1 / (1 + exp(-2 u)), one exponential.
#include "kernels.h"

static const float ROOT = 0.7978845608f, CUBE = 0.044715f; // sqrt(2 / pi)

static inline float gate(float x) { return 1.0f / (1.0f + fast_exp(-2.0f * ROOT * (x + CUBE * x * x * x))); }

template <class T> static void forward(const T *x, T *to, int64_t first, int64_t last) {
#pragma omp simd
    for (int64_t i = first; i < last; i++) {
        float a = widen(x[i]);
        put(to + i, a * gate(a));
    }
}

template <class T> static void backward(const T *x, const T *above, T *to, int64_t first, int64_t last) {
#pragma omp simd
    for (int64_t i = first; i < last; i++) {
        float a = widen(x[i]), g = gate(a);
        float slope = 2.0f * ROOT * (1.0f + 3.0f * CUBE * a * a);
        float inner = a * g * (1.0f - g) * slope;
        put(to + i, widen(above[i]) * (g + (a * a > 1e4f ? 0.0f : inner)));
    }
}

#define OF_TYPE(NAME, T)                                                                                              \
    KERNEL void gelu_forward_##NAME(const T *x, T *to, int64_t count, int64_t threads) {                              \
        share_out(count, threads, [=](int64_t first, int64_t last) { forward(x, to, first, last); });                 \
    }                                                                                                                 \
    KERNEL void gelu_backward_##NAME(const T *x, const T *above, T *to, int64_t count, int64_t threads) {             \
        share_out(count, threads, [=](int64_t first, int64_t last) { backward(x, above, to, first, last); });         \
    }

OF_TYPE(float, float)
OF_TYPE(bfloat16, bf16)
