// What may follow a product, number by number, in forms that compilers vectorise.
#pragma once
#include "kernels.h"
#include <type_traits>

// The order of `LINEAR_ACTIVATIONS` in engine/native/activations.py.
enum Activation { NONE, RELU, GELU, GELU_TANH, SILU };

// erf(x) to about 2e-7: Abramowitz and Stegun, 7.1.26.
static inline float fast_erf(float x) {
    float size = std::fabs(x), t = 1.0f / std::fma(0.3275911f, size, 1.0f);
    float p = 1.061405429f;
    p = std::fma(p, t, -1.453152027f);
    p = std::fma(p, t, 1.421413741f);
    p = std::fma(p, t, -0.284496736f);
    p = std::fma(p, t, 0.254829592f);
    return std::copysign(1.0f - p * t * fast_exp(-size * size), x);
}

static inline float logistic(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

template <Activation f> static inline float activate(float x) {
    if (f == RELU) return x < 0.0f ? 0.0f : x;  // what is no number stays none
    if (f == GELU) return 0.5f * x * (1.0f + fast_erf(0.70710678f * x));
    if (f == GELU_TANH) return x * logistic(1.59576912f * x * std::fma(0.044715f * x, x, 1.0f));
    if (f == SILU) return x * logistic(x);
    return x;
}

// work(f) with an activation that is known when it is compiled.
template <class Work> static inline void with_activation(int64_t activation, Work work) {
    switch (activation) {
    case RELU: return work(std::integral_constant<Activation, RELU>());
    case GELU: return work(std::integral_constant<Activation, GELU>());
    case GELU_TANH: return work(std::integral_constant<Activation, GELU_TANH>());
    case SILU: return work(std::integral_constant<Activation, SILU>());
    default: return work(std::integral_constant<Activation, NONE>());
    }
}
