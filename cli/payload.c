/* SPDX-License-Identifier: MIT */
/* Values as text: payload.h. */
#include "cli/payload.h"
#include "cli/render.h"

static bool on_terminal(void)
{
	static int known = -1;
	if (known < 0)
		known = isatty(STDOUT_FILENO);
	return known;
}

/* Whole lines and cells pass through text_put(); newline and tab are what a terminal may be told. */
static void out_text(struct span text)
{
	if (!on_terminal()) {
		buf_span(&out, text);
		return;
	}
	for (size_t i = 0, n; i < text.n; i += n + (i + n < text.n)) {
		for (n = 0; i + n < text.n && text.p[i + n] != '\n' && text.p[i + n] != '\t';)
			n++;
		text_put(&out, (struct span){text.p + i, n});
		if (i + n < text.n)
			buf_putc(&out, text.p[i + n]);
	}
}

void payload_put(struct buf *b, struct span item)
{
	if (scan_bytes(item, b) < 0)
		buf_span(b, item);
}

void payload_print_item(struct span item)
{
	AUTO_BUF text = BUF_INIT;
	payload_put(&text, item);
	out_text(options.json ? item : buf_view(&text));
}

void payload_print(struct span value)
{
	AUTO_BUF text = BUF_INIT;
	if (!options.json && scan_str(value, &text) == 0)
		out_text(buf_view(&text));
	else
		buf_span(&out, value);
}
