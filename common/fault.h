/* SPDX-License-Identifier: MIT */
/*
 * Errors: a code of fault.def, and a fault that carries the detail up to the edge that tells it. Functions return 0
 * or the code; whoever knows the detail first sets the fault, nobody overwrites it.
 */
#ifndef MPD_FAULT_H
#define MPD_FAULT_H

#include "common/buf.h"

enum fault_code {
	FAULT_NONE = 0,
#define FAULT(symbol, code, exit, sentence) FAULT_##symbol = code,
#include "common/fault.def"
#undef FAULT
};

struct fault_info {
	int code;
	int exit; /* of mpctl */
	const char *symbol, *sentence;
};

struct fault {
	int code;
	char message[512]; /* names the object and says what to do */
	char data[4096];    /* members of error.data after "symbol", as JSON without braces: "\"owner\":7"; or empty */
};

/* The row of CODE or of SYMBOL; NULL for a number or name that is none of ours. */
const struct fault_info *fault_info(int code);
const struct fault_info *fault_by_symbol(struct span symbol);
size_t fault_count(void);
const struct fault_info *fault_at(size_t i);

/* Sets F and returns CODE. The message is cut at its room, never in the middle of a UTF-8 sequence. */
int fault_set(struct fault *f, int code, const char *fmt, ...) PRINTF(3, 4);
/* The same with members for error.data, which must be valid JSON without braces (not cut: dropped when too long). */
int fault_data(struct fault *f, const char *fmt, ...) PRINTF(2, 3);

/* "did you mean": the best of N names by edit distance, or NULL when none is near. */
const char *fault_nearest(struct span word, const char *const *names, size_t n);

#endif
