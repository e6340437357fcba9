/* SPDX-License-Identifier: MIT */
/*
 * api.def as tables, and what reads them: lookup, the decoder from a request's params to the command's struct, and
 * the description that mpd.describe returns.
 *
 * 1. A row of `types` is all there is to know about a type: its name on the wire, the sentence for a wrong value, the
 *    decoder. A decoder writes to its member only when the value is right.
 * 2. Strings come out NUL-terminated and without a NUL inside, so that they may go to the kernel and to libc.
 * 3. Decoded strings lie in the arena; API_JSON alone points into the request's own text.
 */
#include "common/api.h"
#include "common/units.h"

/* An empty row ends each table: a command without parameters has one, too. */
#define CMD(sym, name, flags, help) static const struct api_arg table_##sym[] = {
#define ARG(sym, field, type, flags, letter, hint, help)                                                               \
	{#field, API_##type, flags, letter, hint, help, offsetof(struct args_##sym, field)},
#define END(sym)                                                                                                       \
	{                                                                                                              \
		0                                                                                                      \
	}                                                                                                              \
	}                                                                                                              \
	;                                                                                                              \
	_Static_assert(NTH_##sym##_END <= 64, "`given` has a bit for each");
#include "common/api.def"
#undef CMD
#undef ARG
#undef END

static const struct api_cmd commands[CMD_COUNT] = {
#define CMD(sym, name, flags, help)                                                                                    \
	{CMD_##sym, name, help, flags, table_##sym, NTH_##sym##_END, sizeof(struct args_##sym)},
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
};

const struct api_cmd *api_cmd(enum api_id id) { return &commands[id]; }

/* --- finding ------------------------------------------------------------------------------------------------------ */

static const struct span method_names[CMD_COUNT] = {
#define CMD(sym, name, flags, help) SPAN(name),
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
};

#define SLOT_BITS 10
#define SLOTS ((size_t)1 << SLOT_BITS)
_Static_assert(CMD_COUNT * 2 < SLOTS, "every search comes to an empty slot soon");

/* Of each name its id + 1, where its hash says or in the next slot that was empty; made when first asked for. */
static uint16_t slots[SLOTS];

static size_t slot_of(struct span name)
{
	uint64_t first = 0, last = 0;
	size_t n = MIN(name.n, 8);
	memcpy(&first, name.p, n);
	memcpy(&last, name.p + name.n - n, n);
	return (size_t)((first * 3 ^ last ^ name.n) * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
}

/* Where NAME is, or would go. */
static uint16_t *slot_find(struct span name)
{
	size_t i = slot_of(name);
	while (slots[i] && !span_eq(method_names[slots[i] - 1], name))
		i = (i + 1) % SLOTS;
	return &slots[i];
}

const struct api_cmd *api_find(struct span method)
{
	static bool made;
	for (size_t id = 0; !made && id < CMD_COUNT; id++)
		*slot_find(method_names[id]) = (uint16_t)(id + 1);
	made = true;
	uint16_t slot = method.n ? *slot_find(method) : 0;
	return slot ? &commands[slot - 1] : NULL;
}

const char *api_nearest(struct span method)
{
	const char *names[CMD_COUNT];
	for (size_t i = 0; i < CMD_COUNT; i++)
		names[i] = commands[i].name;
	return fault_nearest(method, names, CMD_COUNT);
}

struct span api_choice(const struct api_arg *arg, size_t n)
{
	const char *at = arg->hint;
	for (; n > 0 && at; n--)
		at = (at = strchr(at, '|')) ? at + 1 : NULL;
	return at ? (struct span){at, strcspn(at, "|")} : (struct span){NULL, 0};
}

/* --- decoding ---------------------------------------------------------------------------------------------------- */

#define STRINGS_MAX 65536 /* in one parameter */

/* What a decoder works with. It returns 0, or -1 with `why` set where it knows better than its row's sentence. */
struct decoding {
	const struct api_arg *arg;
	struct arena *arena;
	const char *why;
};

static const char out_of_memory[] = "out of memory";

static int refuse(struct decoding *d, const char *why)
{
	d->why = why;
	return -1;
}

static int keep_plain(struct decoding *d, struct span text, struct span *ret)
{
	struct span copy = arena_copy(d->arena, text);
	if (!copy.p)
		return refuse(d, out_of_memory);
	*ret = copy;
	return 0;
}

static int keep_text(struct decoding *d, struct span text, struct span *ret)
{
	if (text.n && memchr(text.p, '\0', text.n))
		return refuse(d, "must not contain a NUL");
	return keep_plain(d, text, ret);
}

static int keep_buf(struct decoding *d, const struct buf *text, struct span *ret)
{
	if (text->failed)
		return refuse(d, out_of_memory);
	return keep_text(d, (struct span){buf_str(text), text->len}, ret);
}

static int decode_str(struct decoding *d, struct span value, void *to)
{
	struct span text;
	if (scan_plain(value, &text)) /* no escape, so no NUL */
		return keep_plain(d, text, to);
	AUTO_BUF buf = BUF_INIT;
	return scan_str(value, &buf) < 0 ? -1 : keep_buf(d, &buf, to);
}

static int decode_bytes(struct decoding *d, struct span value, void *to)
{
	if (scan_type(value) == SCAN_STRING)
		return decode_str(d, value, to);
	AUTO_BUF buf = BUF_INIT;
	return scan_bytes(value, &buf) < 0 ? -1 : keep_buf(d, &buf, to);
}

typedef int decoder(struct decoding *, struct span value, void *to);

/* Room for as many spans as VALUE has elements or members. */
static int make_spans(struct decoding *d, struct span value, struct spans *ret)
{
	size_t n = scan_count(value);
	if (n > STRINGS_MAX)
		return refuse(d, "must have at most 65536 elements");
	ret->n = 0;
	ret->v = arena_alloc(d->arena, MAX(n, 1) * sizeof(*ret->v));
	return ret->v ? 0 : refuse(d, out_of_memory);
}

static int decode_array(struct decoding *d, struct span value, struct spans *to, decoder *each)
{
	struct spans got;
	struct span key, element;
	if (scan_type(value) != SCAN_ARRAY || make_spans(d, value, &got) < 0)
		return -1;
	for (struct scan_iter it = scan_iter(value); scan_next(&it, &key, &element); got.n++)
		if (each(d, element, &got.v[got.n]) < 0)
			return -1;
	*to = got;
	return 0;
}

static int decode_strs(struct decoding *d, struct span value, void *to)
{
	struct spans one;
	if (scan_type(value) != SCAN_STRING)
		return decode_array(d, value, to, decode_str);
	if (make_spans(d, value, &one) < 0 || decode_str(d, value, one.v) < 0)
		return -1;
	one.n = 1;
	*(struct spans *)to = one;
	return 0;
}

static int decode_bytess(struct decoding *d, struct span value, void *to)
{
	return scan_count(value) == 0 ? -1 : decode_array(d, value, to, decode_bytes);
}

static int decode_bool(struct decoding *d, struct span value, void *to)
{
	(void)d;
	enum scan_type type = scan_type(value);
	if (type != SCAN_TRUE && type != SCAN_FALSE)
		return -1;
	*(bool *)to = type == SCAN_TRUE;
	return 0;
}

static int decode_int(struct decoding *d, struct span value, void *to)
{
	(void)d;
	return scan_i64(value, to);
}

static int decode_duration(struct decoding *d, struct span value, void *to)
{
	(void)d;
	return scan_seconds(value, to);
}

static int decode_enum(struct decoding *d, struct span value, void *to)
{
	AUTO_BUF text = BUF_INIT;
	struct span choice;
	if (scan_str(value, &text) < 0)
		return -1;
	for (int i = 0; (choice = api_choice(d->arg, (size_t)i)).p; i++)
		if (span_eq(choice, buf_view(&text))) {
			*(int *)to = i;
			return 0;
		}
	return -1;
}

static int decode_signal(struct decoding *d, struct span value, void *to)
{
	(void)d;
	AUTO_BUF text = BUF_INIT;
	if (scan_type(value) == SCAN_NUMBER)
		return units_signal(value, to);
	return scan_str(value, &text) < 0 ? -1 : units_signal(buf_view(&text), to);
}

static int decode_json(struct decoding *d, struct span value, void *to)
{
	(void)d;
	*(struct span *)to = value;
	return 0;
}

#define NAME_EMPTY "must not have an empty name"

/* "K=V" of an array. */
static int decode_assignment(struct decoding *d, struct span value, void *to)
{
	struct span text;
	if (decode_bytes(d, value, &text) < 0)
		return -1;
	const char *equals = strchr(text.p, '=');
	if (!equals)
		return refuse(d, "must have \"NAME=VALUE\" in its array");
	if (equals == text.p)
		return refuse(d, NAME_EMPTY);
	*(struct span *)to = text;
	return 0;
}

/* A member "K": "V" of an object, to "K=V". */
static int decode_variable(struct decoding *d, struct span key, struct span value, struct span *to)
{
	AUTO_BUF text = BUF_INIT;
	scan_unescape(key, &text);
	if (text.len == 0 && !text.failed)
		return refuse(d, NAME_EMPTY);
	if (text.len && memchr(text.p, '=', text.len))
		return refuse(d, "must not have \"=\" in a name");
	buf_putc(&text, '=');
	return scan_bytes(value, &text) < 0 ? -1 : keep_buf(d, &text, to);
}

static int decode_env(struct decoding *d, struct span value, void *to)
{
	struct spans got;
	struct span key, member;
	if (scan_type(value) != SCAN_OBJECT)
		return decode_array(d, value, to, decode_assignment);
	if (make_spans(d, value, &got) < 0)
		return -1;
	for (struct scan_iter it = scan_iter(value); scan_next(&it, &key, &member); got.n++)
		if (decode_variable(d, key, member, &got.v[got.n]) < 0)
			return -1;
	*(struct spans *)to = got;
	return 0;
}

static const struct {
	const char *name, *must; /* the hint of an ENUM follows */
	decoder *decode;
} types[] = {
	[API_STR] = {"string", "must be a string", decode_str},
	[API_BYTES] = {"bytes", "must be a string or {\"b64\": \"...\"}", decode_bytes},
	[API_STRS] = {"strings", "must be a string or an array of strings", decode_strs},
	[API_BYTESS] = {"bytes array", "must be an array of at least one string or {\"b64\": \"...\"}", decode_bytess},
	[API_BOOL] = {"bool", "must be true or false", decode_bool},
	[API_INT] = {"integer", "must be a whole number of at most 64 bits", decode_int},
	[API_DURATION] = {"seconds", "must be a number of seconds >= 0", decode_duration},
	[API_ENUM] = {"choice", "must be one of ", decode_enum},
	[API_SIGNAL] = {"signal", "must be the name or number of a signal", decode_signal},
	[API_ENV] = {"environment", "must be {\"NAME\": \"VALUE\"} or [\"NAME=VALUE\"]", decode_env},
	[API_JSON] = {"any", "must be JSON", decode_json},
};

static const struct api_arg *find_arg(const struct api_cmd *cmd, struct span name)
{
	for (size_t i = 0; i < cmd->nargs; i++)
		if (name.n && name.p[0] == cmd->args[i].name[0] && span_is(name, cmd->args[i].name))
			return &cmd->args[i];
	return NULL;
}

static int unknown_arg(const struct api_cmd *cmd, struct span name, struct fault *f)
{
	const char *names[64];
	for (size_t i = 0; i < cmd->nargs; i++)
		names[i] = cmd->args[i].name;
	const char *nearest = fault_nearest(name, names, cmd->nargs);
	int n = (int)MIN(name.n, sizeof(f->message));
	if (!nearest)
		return fault_set(f, FAULT_PARAMS, "unknown parameter \"%.*s\"", n, name.p);
	return fault_set(f, FAULT_PARAMS, "unknown parameter \"%.*s\" (did you mean \"%s\"?)", n, name.p, nearest);
}

static int wrong_arg(const struct decoding *d, struct fault *f)
{
	const struct api_arg *arg = d->arg;
	if (d->why == out_of_memory)
		return fault_set(f, FAULT_INTERNAL, "%s", out_of_memory);
	if (d->why)
		return fault_set(f, FAULT_PARAMS, "parameter \"%s\": %s", arg->name, d->why);
	return fault_set(f, FAULT_PARAMS, "parameter \"%s\": %s%s", arg->name, types[arg->type].must,
			 arg->type == API_ENUM ? arg->hint : "");
}

static int decode_member(const struct api_cmd *cmd, struct span name, struct span value, struct arena *arena,
			 uint64_t *args, struct fault *f)
{
	const struct api_arg *arg = find_arg(cmd, name);
	if (!arg)
		return unknown_arg(cmd, name, f);
	struct decoding d = {.arg = arg, .arena = arena};
	if (scan_type(value) == SCAN_NULL && !(arg->flags & API_NULL))
		return 0;
	if (types[arg->type].decode(&d, value, (char *)args + arg->offset) < 0)
		return wrong_arg(&d, f);
	*args |= UINT64_C(1) << (arg - cmd->args);
	return 0;
}

/* Members of an object by their un-escaped names. */
static int decode_members(const struct api_cmd *cmd, struct scan_iter it, struct arena *arena, uint64_t *args,
			  struct fault *f)
{
	AUTO_BUF name = BUF_INIT;
	struct span key, value;
	while (scan_next(&it, &key, &value)) {
		if (key.n && memchr(key.p, '\\', key.n)) {
			buf_clear(&name, SIZE_MAX);
			scan_unescape(key, &name);
			key = (struct span){buf_str(&name), name.len};
		}
		int code = decode_member(cmd, key, value, arena, args, f);
		if (code)
			return code;
	}
	return 0;
}

int api_decode_members(const struct api_cmd *cmd, struct scan_iter members, struct arena *arena, void *args,
		       struct fault *f)
{
	uint64_t *given = memset(args, 0, cmd->size); /* the first member of every argument struct */
	int code = decode_members(cmd, members, arena, given, f);
	if (code)
		return code;
	for (size_t i = 0; i < cmd->nargs; i++)
		if ((cmd->args[i].flags & API_REQUIRED) && !(*given >> i & 1))
			return fault_set(f, FAULT_PARAMS, "missing parameter \"%s\"", cmd->args[i].name);
	return 0;
}

int api_decode(const struct api_cmd *cmd, struct span params, struct arena *arena, void *args, struct fault *f)
{
	enum scan_type type = params.p ? scan_type(params) : SCAN_NULL;
	if (type == SCAN_ARRAY)
		return fault_set(f, FAULT_PARAMS,
				 "params must be an object: parameters are given by name, not by position");
	if (type != SCAN_OBJECT && type != SCAN_NULL)
		return fault_set(f, FAULT_PARAMS, "params must be an object");
	return api_decode_members(cmd, scan_iter(params), arena, args, f);
}

/* --- describing -------------------------------------------------------------------------------------------------- */

static void put_member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\":", name);
	scan_put_str(out, span_of(text));
	buf_putc(out, ',');
}

/* Members that are true; one that is left out is false. */
static void put_flag(struct buf *out, const char *name, bool set)
{
	if (set)
		buf_printf(out, "\"%s\":true,", name);
}

static void put_choices(struct buf *out, const struct api_arg *arg)
{
	struct span choice;
	buf_puts(out, "\"choices\":[");
	for (size_t i = 0; (choice = api_choice(arg, i)).p; i++) {
		buf_puts(out, i ? "," : "");
		scan_put_str(out, choice);
	}
	buf_puts(out, "],");
}

static void put_arg(struct buf *out, const struct api_arg *arg)
{
	buf_putc(out, '{');
	put_member(out, "name", arg->name);
	put_member(out, "type", types[arg->type].name);
	put_flag(out, "required", arg->flags & API_REQUIRED);
	if (arg->type == API_ENUM)
		put_choices(out, arg);
	else if (arg->hint)
		put_member(out, "hint", arg->hint);
	buf_puts(out, "\"help\":");
	scan_put_str(out, span_of(arg->help));
	buf_putc(out, '}');
}

void api_describe(const struct api_cmd *cmd, struct buf *out)
{
	buf_putc(out, '{');
	put_member(out, "method", cmd->name);
	put_member(out, "help", cmd->help);
	put_flag(out, "blocks", cmd->flags & API_BLOCKS);
	put_flag(out, "once", cmd->flags & API_ONCE);
	put_flag(out, "admin", cmd->flags & API_ADMIN);
	put_flag(out, "raw", cmd->flags & API_RAW);
	buf_puts(out, "\"params\":[");
	for (size_t i = 0; i < cmd->nargs; i++) {
		buf_puts(out, i ? "," : "");
		put_arg(out, &cmd->args[i]);
	}
	buf_puts(out, "]}");
}

static void put_fault(struct buf *out, const struct fault_info *info)
{
	buf_printf(out, "{\"code\":%d,\"symbol\":\"%s\",\"exit\":%d,\"help\":", info->code, info->symbol, info->exit);
	scan_put_str(out, span_of(info->sentence));
	buf_putc(out, '}');
}

void api_describe_all(struct buf *out)
{
	buf_printf(out, "{\"protocol\":%d,\"methods\":[", API_PROTOCOL);
	for (size_t i = 0; i < CMD_COUNT; i++) {
		buf_puts(out, i ? "," : "");
		api_describe(&commands[i], out);
	}
	buf_puts(out, "],\"errors\":[");
	for (size_t i = 0; i < fault_count(); i++) {
		buf_puts(out, i ? "," : "");
		put_fault(out, fault_at(i));
	}
	buf_puts(out, "]}");
}
