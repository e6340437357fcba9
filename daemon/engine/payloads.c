/* SPDX-License-Identifier: MIT */
/* Payloads as raw frames: payloads.h. */
#include "daemon/engine/payloads.h"

void reply_payload(struct req *r, struct buf *b, struct payload *p)
{
	AUTO_BUF room = BUF_INIT;
	struct span bytes;
	bool raw = payload_bytes(p, &room, &bytes);
	buf_puts(b, raw ? ",\"bytes\":true}" : ",\"bytes\":false}");
	reply_raw(r, bytes);
	reply_end(r);
}
