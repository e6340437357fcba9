/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as steps of clients, time and engines through the objects (objsteps.h), six bytes a step; what must hold
 * (objcheck.h) is looked at after each step, for which the turn ends, unless its op's high bit says that it goes on.
 */
#define OBJWORLD_ALONE
#include "tests/unit/objcheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 400
enum { GOES_ON = 128 };

static void step_checked(const uint8_t *bytes)
{
	struct move s;
	memcpy(&s, bytes, sizeof(s));
	s.op &= (uint8_t)~GOES_ON;
	step(&s);
	if (bytes[0] & GOES_ON)
		return;
	step_turn();
	check_all();
	if (steps.steps % 16 == 0)
		check_replay();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	steps_begin();
	for (size_t n = 0; n < STEPS_MAX && size >= sizeof(struct move); n++) {
		step_checked(data);
		data += sizeof(struct move);
		size -= sizeof(struct move);
	}
	step_turn();
	check_all();
	check_replay();
	steps_end();
	return 0;
}
