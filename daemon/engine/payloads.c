/* SPDX-License-Identifier: MIT */
/* Payloads as raw frames: payloads.h. */
#include "daemon/engine/payloads.h"

void reply_payload(struct req *r, struct buf *b, struct payload *p)
{
	AUTO_BUF room = BUF_INIT;
	struct span bytes;
	bool raw = payload_bytes(p, &room, &bytes);
	buf_puts(b, b->p[b->len - 1] == '{' ? "" : ",");
	buf_puts(b, raw ? "\"bytes\":true}" : "\"bytes\":false}");
	if (room.len > 0)
		reply_raw(r, bytes);
	else
		reply_raw_ref(r, bytes, payload_unref, payload_ref(p));
	reply_end(r);
}
