/* fuzz: what targets and drivers share. The names with capitals are libFuzzer's; replay.c stands in for it. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A target may bring its own mutator, which may call the driver's one on parts. Both change bytes[0..len) in place,
 * have room for max, and return the new length. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max);

/* insist: what is promised of every input. */
static inline void insist(bool is_so)
{
	if (!is_so)
		abort();
}

/* fuzz_random: xorshift32; *state is never 0. */
static inline uint32_t fuzz_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif
