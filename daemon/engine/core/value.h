/* SPDX-License-Identifier: MIT */
/*
 * Values: one number, one character, or any JSON.
 *
 * 1. The version is how often it was set; whoever reads both reads what that set has left.
 * 2. JSON is kept byte for byte.
 * 3. Its lock is an rlock of its own. Nobody has to hold it to read or to write.
 */
#ifndef MPD_VALUE_H
#define MPD_VALUE_H

#include "common/ctype.h"
#include "daemon/engine/core/lock.h"

struct value_image { /* followed by the mutex' image, then by the JSON */
	uint64_t version;
	union cell cell;
	char code; /* 0: json */
	uint8_t wrap;
	uint8_t pad[6];
};

struct value {
	struct obj obj;
	struct mutex mutex;
	struct value_image i;
	struct buf json;
	struct subject changed;
};

/* What a value is to be, before there is one. */
struct value_shape {
	char code; /* 0: json */
	bool wrap;
};

/* "json" or a code of ctypes. PARAMS. */
int value_code(struct span type, char *ret, struct fault *);
void value_put(const struct value *, struct buf *);

/* PARAMS, RANGE: then it is as it was. */
int value_set(struct value *, struct span json, struct fault *);
int value_add(struct value *, struct span delta, struct fault *);
/* Sets it if it still equals EXPECT ({NULL, 0}: whatever it is) and has the VERSION (NULL: any). CONFLICT. */
int value_cas(struct value *, struct span expect, const uint64_t *version, struct span json, struct fault *);
/* Gives a new one its shape and what it begins with ({NULL, 0}: 0, or a character of code 0), as version 0. PARAMS,
 * RANGE: then it is to be deleted. */
int value_begin(struct value *, struct value_shape, struct span json, struct fault *);

enum value_op { VALUE_EQ, VALUE_NE, VALUE_LT, VALUE_LE, VALUE_GT, VALUE_GE }; /* as the registry has them */

/* value.wait. X is the want's own (value_want_x). */
struct value_want {
	struct want want;
	enum value_op op;
	char *x;
	size_t nx;
};
extern const struct want_ops value_wait_ops;
/* PARAMS for what nothing can be compared with. */
int value_want_x(struct value_want *, enum value_op, struct span x, struct fault *);

#endif
