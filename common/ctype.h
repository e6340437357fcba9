/* SPDX-License-Identifier: MIT */
/*
 * The types of values and arrays: the codes of Python's ctypes, in the sizes they have on 64-bit Linux. A cell holds
 * one of them; from JSON and to JSON nothing is lost that the type can hold.
 */
#ifndef MPD_CTYPE_H
#define MPD_CTYPE_H

#include "common/buf.h"
#include "common/fault.h"

enum ctype_class { CTYPE_INT, CTYPE_FLOAT, CTYPE_CHAR };

struct ctype {
	char code;
	enum ctype_class class;
	uint8_t bits;
	bool is_signed;
};

union cell {
	int64_t i;  /* a signed integer */
	uint64_t u; /* an unsigned one; a character */
	double d;   /* a float: what is left of it is a double again */
};

/* Of b B h H i I l L q Q f d c u; NULL: it is none of them. */
const struct ctype *ctype_find(struct span code);
const struct ctype *ctype_of(char code);
/* Is it one that C could have? For what comes from the journal. */
bool ctype_valid(const struct ctype *, union cell);

/* JSON to a cell. WRAP: what does not fit wraps as in C, else RANGE. PARAMS for what is of another type. */
int ctype_get(const struct ctype *, struct span json, bool wrap, union cell *ret, struct fault *);
void ctype_put(const struct ctype *, union cell, struct buf *);
/* Adds JSON, a number, to *CELL. RANGE, PARAMS: then it is as it was. */
int ctype_add(const struct ctype *, union cell *, struct span json, bool wrap, struct fault *);

#endif
