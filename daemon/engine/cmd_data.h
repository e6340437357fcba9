/* SPDX-License-Identifier: MIT */
/* What the commands of values, arrays, dicts, lists and namespaces share: to find what is read or written. */
#ifndef MPD_CMD_DATA_H
#define MPD_CMD_DATA_H

#include "daemon/engine/objects.h"

/* To be read. */
int data_find(const struct req *, struct span name, enum obj_kind, struct obj **ret, struct fault *);

/* To be written to. */
struct data_target {
	struct obj *obj;
	bool made; /* by this request */
};
/* The writer's fence holds, and it is there, or it MAY be MADE. */
int data_target(const struct req *, struct span name, enum obj_kind, struct span fence, bool may_make,
		struct data_target *ret, struct fault *);
/* The write has failed with CODE: what was made for it goes. */
int data_refused(const struct data_target *, int code);
/* What KIND.create has made does not become what it was to be. */
int data_unmade(struct obj *, int code);

/* {NAME: n}; {NAME: JSON}. */
int reply_count(struct req *, const char *name, uint64_t n);
int reply_json(struct req *, const char *name, struct span json);

#endif
