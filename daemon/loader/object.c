/* SPDX-License-Identifier: MIT */
/*
 * An object's section to the call that makes it: [queue:mail] becomes the parameters of queue.create.
 *
 * 1. The keys of a kind are the parameters of its KIND.create in the registry, and nothing else: one that is added
 *    there is a key here. How a value is written in a configuration depends on the parameter's type and, where people
 *    write it otherwise than programs do (sizes, groups, modes), on its hint.
 * 2. A configuration's objects are the system's: X is /X, in the title and where one section names another.
 * 3. What comes out has passed api_decode() and shape_wrong(), as a client's request does.
 */
#include "daemon/loader/object.h"
#include "common/shape.h"
#include "daemon/loader/keys.h"
#include "daemon/loader/users.h"
#include <assert.h>
#include <stdio.h>

#define COUNT_MAX (((int64_t)1 << 53) - 1) /* exact in a double */

/* A section while it is read; the base of its keys. */
struct making {
	const struct api_cmd *cmd;
	const struct conf_section *section;
	struct buf params;
};

/* Writes a value as JSON. */
typedef int writer(const struct key_value *, struct buf *, struct fault *);

static struct key_value into(const struct key_value *v, void *to)
{
	struct key_value copy = *v;
	copy.to = to;
	return copy;
}

/* --- numbers and words ------------------------------------------------------------------------------------------ */

static int put_bool(const struct key_value *v, struct buf *out, struct fault *f)
{
	uint8_t value;
	struct key_value to = into(v, &value);
	int err = key_bool(&to, f);
	if (!err)
		buf_puts(out, value ? "true" : "false");
	return err;
}

static int put_integer(const struct key_value *v, int (*read)(const struct key_value *, struct fault *),
		       struct buf *out, struct fault *f)
{
	int64_t value;
	struct key_value to = into(v, &value);
	int err = read(&to, f);
	if (!err)
		buf_printf(out, "%lld", (long long)value);
	return err;
}

static int put_number(const struct key_value *v, struct buf *out, struct fault *f)
{
	return put_integer(v, key_number, out, f);
}

static int put_size(const struct key_value *v, struct buf *out, struct fault *f)
{
	return put_integer(v, key_size, out, f);
}

static int put_group(const struct key_value *v, struct buf *out, struct fault *f)
{
	gid_t gid;
	int err = users_group(v->text, &gid, f);
	if (!err)
		buf_printf(out, "%u", (unsigned)gid);
	return err;
}

static int put_duration(const struct key_value *v, struct buf *out, struct fault *f)
{
	nsec_t value;
	struct key_value to = into(v, &value);
	int err = key_duration(&to, f);
	if (!err)
		buf_printf(out, "%lld.%09lld", (long long)(value / NSEC_PER_SEC), (long long)(value % NSEC_PER_SEC));
	return err;
}

static int put_choice(const struct key_value *v, struct buf *out, struct fault *f)
{
	uint8_t nth;
	struct key_value to = into(v, &nth);
	int err = key_choice(&to, f);
	if (!err)
		scan_put_str(out, v->text);
	return err;
}

/* --- texts ------------------------------------------------------------------------------------------------------ */

static int put_text(const struct key_value *v, struct buf *out, struct fault *f)
{
	(void)f;
	scan_put_bytes(out, v->text);
	return 0;
}

static int put_mode(const struct key_value *v, struct buf *out, struct fault *f)
{
	char *end;
	long mode = strtol(v->text.p, &end, 8);
	if (v->text.n == 0 || v->text.n > 4 || *end || *v->text.p < '0' || mode > 0777)
		return key_wrong(v, f, "is not a mode from 000 to 777");
	buf_printf(out, "\"%03lo\"", mode);
	return 0;
}

static int put_code(const struct key_value *v, struct buf *out, struct fault *f)
{
	static const char codes[] = "bBhHiIlLqQfdcu";
	const struct making *m = v->to;
	bool json = m->cmd->id == CMD_value_create;
	if (!(v->text.n == 1 && strchr(codes, *v->text.p)) && !(json && span_is(v->text, "json")))
		return key_wrong(v, f, "is not a type: one of the letters %s%s", codes, json ? ", or json" : "");
	return put_text(v, out, f);
}

static struct span kind_of(const struct conf_section *s)
{
	return (struct span){s->at.section.p, strcspn(s->at.section.p, ":")};
}

/* The name of another object of the system's; *RET_SECTION is where the configuration has it, or NULL. */
static int put_name(const struct key_value *v, struct buf *out, const struct conf_section **ret_section,
		    struct fault *f)
{
	size_t slash = v->text.n && *v->text.p == '/';
	struct span name = {v->text.p + slash, v->text.n - slash};
	const char *wrong = conf_object_name_error(name);
	if (wrong)
		return key_wrong(v, f, "cannot be: %s", wrong);
	buf_printf(out, "\"/%s\"", name.p);
	*ret_section = map_get_str(&v->conf->objects.by_title, name);
	return 0;
}

static int put_lock(const struct key_value *v, struct buf *out, struct fault *f)
{
	const struct conf_section *s;
	int err = put_name(v, out, &s, f);
	if (!err && !s)
		return key_wrong(v, f, "is no lock of this configuration");
	if (!err && !span_is(kind_of(s), "lock") && !span_is(kind_of(s), "rlock"))
		return key_wrong(v, f, "is no lock: it is [%s]", s->at.section.p);
	return err;
}

static int put_queue(const struct key_value *v, struct buf *out, struct fault *f)
{
	const struct conf_section *s;
	int err = put_name(v, out, &s, f);
	if (!err && s == ((const struct making *)v->to)->section)
		return key_wrong(v, f, "is this queue itself");
	if (!err && s && !span_is(kind_of(s), "queue"))
		return key_wrong(v, f, "is no queue: it is [%s]", s->at.section.p);
	return err;
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

/* A text that is not JSON is a string, unless it begins like something else. */
static int put_json(const struct key_value *v, struct buf *out, struct fault *f)
{
	struct scan_error error;
	struct span value;
	if (scan_check(v->text, &value, &error) == 0)
		buf_span(out, value);
	else if (v->text.n && strchr("{[\"", *v->text.p))
		return key_wrong(v, f, "is not JSON: %s", error.what);
	else
		scan_put_bytes(out, v->text);
	return 0;
}

static int put_structure(const struct key_value *v, enum scan_type type, const char *what, struct buf *out,
			 struct fault *f)
{
	size_t at = out->len;
	int err = put_json(v, out, f);
	if (!err && !out->failed && scan_type((struct span){out->p + at, out->len - at}) != type)
		return key_wrong(v, f, "is not %s", what);
	return err;
}

static int put_array(const struct key_value *v, struct buf *out, struct fault *f)
{
	return put_structure(v, SCAN_ARRAY, "a JSON array", out, f);
}

static int put_members(const struct key_value *v, struct buf *out, struct fault *f)
{
	return put_structure(v, SCAN_OBJECT, "a JSON object", out, f);
}

/* --- parameters ------------------------------------------------------------------------------------------------- */

static const struct {
	enum api_type type;
	const char *hint; /* how it begins; "": any other. The last row is for any type */
	writer *write;
} writers[] = {
	{API_BOOL, "", put_bool},      {API_INT, "BYTES", put_size},     {API_INT, "GID", put_group},
	{API_INT, "", put_number},     {API_DURATION, "", put_duration}, {API_ENUM, "", put_choice},
	{API_STR, "MODE", put_mode},   {API_STR, "CODE", put_code},      {API_STR, "NAME", put_lock},
	{API_STR, "QUEUE", put_queue}, {API_STR, "", put_text},          {API_JSON, "[", put_array},
	{API_JSON, "{", put_members},  {API_JSON, "", put_json},
};

static writer *writer_of(const struct api_arg *arg)
{
	const char *hint = arg->hint ? arg->hint : "";
	size_t i = 0;
	while (i < ARRAY_LEN(writers) - 1 &&
	       (writers[i].type != arg->type || strncmp(hint, writers[i].hint, strlen(writers[i].hint))))
		i++;
	return writers[i].write;
}

static int read_param(const struct key_value *v, struct fault *f)
{
	struct making *m = v->to;
	const struct api_arg *arg = &m->cmd->args[v->key->id];
	buf_printf(&m->params, ",\"%s\":", arg->name);
	return writer_of(arg)(v, &m->params, f);
}

/* What the section itself says, and what it leaves no choice of. */
static bool is_key(const struct api_arg *arg) { return strcmp(arg->name, "name") && strcmp(arg->name, "exist_ok"); }

static struct key row_of(const struct api_arg *arg, int id)
{
	static const struct {
		const char *name;
		int64_t min, max;
	} limits[] = {{"parties", 1, BARRIER_PARTIES_MAX}, {"value", 0, SEM_MAX}, {"size", 0, ARRAY_CELLS_MAX}};
	struct key row = {.name = arg->name, .id = id, .read = read_param, .choices = arg->hint, .max = COUNT_MAX};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!strcmp(limits[i].name, arg->name)) {
			row.min = limits[i].min;
			row.max = limits[i].max;
		}
	return row;
}

/* A row for each key of CMD; their number. */
static size_t make_rows(const struct api_cmd *cmd, struct key *rows)
{
	size_t n = 0;
	for (size_t i = 0; i < cmd->nargs; i++)
		if (is_key(&cmd->args[i]))
			rows[n++] = row_of(&cmd->args[i], (int)i);
	return n;
}

static void put_defaults(struct making *m, struct conf_entry *const *set, uint32_t gid)
{
	for (size_t i = 0; i < m->cmd->nargs; i++) {
		const char *name = m->cmd->args[i].name;
		if (!set[i] && !strcmp(name, "mode"))
			buf_puts(&m->params, ",\"mode\":\"770\"");
		if (!set[i] && !strcmp(name, "group") && gid != UINT32_MAX)
			buf_printf(&m->params, ",\"group\":%u", (unsigned)gid);
	}
}

/* --- the section ------------------------------------------------------------------------------------------------ */

static const struct api_cmd *method_of(const struct conf_section *s)
{
	char name[64];
	struct span kind = kind_of(s);
	snprintf(name, sizeof(name), "%.*s.create", (int)kind.n, kind.p);
	const struct api_cmd *cmd = api_find(span_of(name));
	assert(cmd);
	return cmd;
}

static void check_required(struct conf *c, const struct making *m, struct conf_entry *const *set)
{
	for (size_t i = 0; i < m->cmd->nargs; i++)
		if (is_key(&m->cmd->args[i]) && (m->cmd->args[i].flags & API_REQUIRED) && !set[i])
			conf_error(c, &m->section->at, "\"%s\" is missing", m->cmd->args[i].name);
}

/* What is wrong with the parameters as a whole, or NULL. */
static const char *params_wrong(struct conf *c, const struct making *m, struct fault *f)
{
	struct scan_error error;
	struct span params;
	void *args = conf_alloc(c, m->cmd->size);
	if (scan_check(buf_view(&m->params), &params, &error) < 0)
		return error.what;
	if (api_decode(m->cmd, params, &c->arena, args, f) || shape_values(m->cmd->id, args, f))
		return f->message;
	return shape_wrong(m->cmd->id, args);
}

static void check_shape(struct conf *c, const struct making *m)
{
	struct fault fault;
	const char *wrong = params_wrong(c, m, &fault);
	if (wrong)
		conf_error(c, &m->section->at, "%s", wrong);
}

void object_read(struct conf *c, struct conf_section *s, uint32_t gid, struct object *ret)
{
	struct making m = {method_of(s), s, BUF_INIT};
	struct key rows[64];
	struct conf_entry *set[64] = {NULL};
	struct keys keys = {.conf = c, .rows = rows, .nrows = make_rows(m.cmd, rows), .later = "durable", .set = set};
	unsigned errors = c->errors;
	buf_printf(&m.params, "{\"name\":\"/%s\",\"exist_ok\":true", s->title);
	keys_collect(&keys, s);
	keys_read(&keys, &m, 0, (int)m.cmd->nargs, false, NULL);
	put_defaults(&m, set, gid);
	buf_putc(&m.params, '}');
	check_required(c, &m, set);
	if (c->errors == errors)
		check_shape(c, &m);
	*ret = (struct object){m.cmd->name, conf_keep(c, &m.params)};
	buf_done(&m.params);
}

bool object_needs_another(const struct conf_section *s) { return span_is(kind_of(s), "condition"); }
