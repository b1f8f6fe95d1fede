// Random numbers that are a function of a seed and of where they are wanted.
#pragma once
#include <cstdint>

// 32 random bits for numbers 2 i and 2 i + 1: a hash of three products (C. Wellons' triple32), with one half of
// the seed on i and the other inside, so that two seeds share no stretch of numbers.
static inline uint32_t random_bits(uint32_t i, uint32_t low, uint32_t high) {
    uint32_t h = i ^ low;
    h ^= h >> 17;
    h *= 0xed5ad4bbu;
    h ^= h >> 11;
    h += high;
    h *= 0xac4c1b51u;
    h ^= h >> 15;
    h *= 0x31848babu;
    return h ^ (h >> 14);
}
