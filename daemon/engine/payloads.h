/* SPDX-License-Identifier: MIT */
/* How a payload goes out: as part of the answer's JSON, or behind it. */
#ifndef MPD_PAYLOADS_H
#define MPD_PAYLOADS_H

#include "daemon/engine/core/payload.h"
#include "daemon/engine/objects.h"

enum { WANT_JSON, WANT_RAW }; /* of the parameter `want` */

/* Ends the answer of which B has an object that is not closed yet: ,"bytes":true} and the payload behind the line. */
void reply_payload(struct req *, struct buf *b, struct payload *);

#endif
