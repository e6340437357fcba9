/* SPDX-License-Identifier: MIT */
/* Whether a name stands twice in a list of names, in linear time whatever the names are. */
#ifndef MPD_NAMES_H
#define MPD_NAMES_H

#include "common/buf.h"

/* The index of the first of N names that is in the list before it; N when there is none, SIZE_MAX: no memory. */
size_t names_twin(const struct span *names, size_t n);

#endif
