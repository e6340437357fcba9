/* SPDX-License-Identifier: MIT */
/*
 * What objects hold, as a shell sees it: a JSON string is its text, an item of bytes its bytes, anything else its JSON.
 * Data is not changed on its way to a file or a pipe; on a terminal control characters but newline and tab become '?'.
 */
#ifndef MPCTL_PAYLOAD_H
#define MPCTL_PAYLOAD_H

#include "cli/cli.h"

/* Adds a value's text to `out`, without a newline. --json: the value as it is. */
void payload_print(struct span value);
/* The same of an item of a queue or a message of a pipe, which may be bytes: {"b64": ...}. */
void payload_print_item(struct span item);
/* Such an item's text, unchanged. */
void payload_put(struct buf *, struct span item);

#endif
