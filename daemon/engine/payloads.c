/* SPDX-License-Identifier: MIT */
/* Payloads as raw frames: payloads.h. Bytes that lie in the payload are sent from there; it is kept for as long. */
#include "daemon/engine/payloads.h"

void reply_payload(struct req *r, struct buf *b, struct payload *p)
{
	AUTO_BUF room = BUF_INIT;
	struct span bytes;
	bool raw = payload_bytes(p, &room, &bytes);
	buf_puts(b, b->p[b->len - 1] == '{' ? "" : ",");
	buf_puts(b, raw ? "\"bytes\":true}" : "\"bytes\":false}");
	if (bytes.p == p->p)
		reply_raw_ref(r, bytes, payload_unref, payload_ref(p));
	else
		reply_raw(r, bytes);
	reply_end(r);
}
