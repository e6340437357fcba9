/* SPDX-License-Identifier: MIT */
/*
 * Files to sections and entries.
 *
 * 1. A file is looked at through the descriptor it was opened by, never by its name again: what was checked is what
 *    is read. Its last component is no symbolic link, it is a regular file, and no file is read twice.
 * 2. Nothing that is wrong stops the reading: whatever can be told of the rest is told.
 * 3. An error stands at a place; the notes are kept as they come and sorted once, when they are written.
 */
#include "daemon/loader/conf.h"
#include "common/fault.h"
#include "common/ini.h"
#include "daemon/loader/words.h"
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOTES_MAX 1000

struct note {
	struct list node;
	struct conf_place at;
	bool warning;
	unsigned nth;
	const char *text;
};

/* A file while it is read. */
struct reading {
	struct conf *conf;
	struct conf_file *file;
	struct conf_section *section; /* NULL: of no use, its keys are skipped */
	bool has_mpd, has_defaults;
};

/* --- memory, notes ---------------------------------------------------------------------------------------------- */

static void *kept(void *p)
{
	if (p)
		return p;
	static const char text[] = "mpd-engine: out of memory while the configuration is read\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

void *conf_alloc(struct conf *c, size_t n) { return kept(arena_alloc(&c->arena, n)); }

struct span conf_copy(struct conf *c, struct span s)
{
	struct span copy = arena_copy(&c->arena, s);
	kept((void *)copy.p);
	return copy;
}

struct span conf_keep(struct conf *c, const struct buf *b)
{
	if (b->failed)
		kept(NULL);
	return conf_copy(c, buf_view(b));
}

/* No control character of a file's reaches the terminal. */
static struct span printable(struct conf *c, const struct buf *text)
{
	struct span copy = conf_keep(c, text);
	for (char *p = (char *)copy.p; p < copy.p + copy.n; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return copy;
}

static void add_note(struct conf *c, const struct conf_place *at, bool warning, const char *fmt, va_list ap)
{
	unsigned *count = warning ? &c->warnings : &c->errors;
	if ((*count)++ >= NOTES_MAX)
		return;
	AUTO_BUF text = BUF_INIT;
	if (at->section.n)
		buf_printf(&text, "[%.*s] ", (int)at->section.n, at->section.p);
	if (warning)
		buf_puts(&text, "warning: ");
	buf_vprintf(&text, fmt, ap);
	struct note *n = conf_alloc(c, sizeof(*n));
	*n = (struct note){.at = *at, .warning = warning, .nth = c->errors + c->warnings};
	n->text = printable(c, &text).p;
	list_push(&c->notes, &n->node);
}

void conf_error(struct conf *c, const struct conf_place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_note(c, at, false, fmt, ap);
	va_end(ap);
}

void conf_warning(struct conf *c, const struct conf_place *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_note(c, at, true, fmt, ap);
	va_end(ap);
}

void conf_refuse(struct conf *c, struct conf_entry *e, const char *what)
{
	if (!e->refused)
		conf_error(c, &e->at, "%s: %s", e->key.p, what);
	e->refused = true;
}

static int note_order(const void *a, const void *b)
{
	const struct note *x = *(struct note *const *)a, *y = *(struct note *const *)b;
	if (x->at.file != y->at.file)
		return x->at.file->nth < y->at.file->nth ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static void put_place(struct buf *out, const struct conf_place *at)
{
	buf_puts(out, at->file->name);
	if (at->line)
		buf_printf(out, ":%u", at->line);
}

static const struct note **sorted_notes(const struct conf *c, bool warnings, size_t *ret_count)
{
	const struct note **all = kept(calloc(2 * NOTES_MAX, sizeof(const struct note *))), *n;
	size_t count = 0;
	LIST_EACH (n, &c->notes, node)
		if (warnings || !n->warning)
			all[count++] = n;
	qsort(all, count, sizeof(const struct note *), note_order);
	*ret_count = count;
	return all;
}

void conf_report(const struct conf *c, int fd, bool warnings)
{
	size_t count;
	AUTO_FREE const struct note **notes = sorted_notes(c, warnings, &count);
	AUTO_BUF out = BUF_INIT;
	for (size_t i = 0; i < count; i++) {
		put_place(&out, &notes[i]->at);
		buf_printf(&out, ": %s\n", notes[i]->text);
	}
	if (c->errors > NOTES_MAX)
		buf_printf(&out, "and %u more errors\n", c->errors - NOTES_MAX);
	for (ssize_t n = 1; out.len && n > 0; buf_eat(&out, (size_t)MAX(n, 0)))
		n = (ssize_t)RETRY(write(fd, out.p, out.len));
}

/* --- sections --------------------------------------------------------------------------------------------------- */

enum kind { KIND_MPD, KIND_DEFAULTS, KIND_JOB, KIND_OBJECT, KIND_LATER };

static const struct {
	const char *word;
	enum kind kind;
} kinds[] = {
	{"mpd", KIND_MPD},        {"defaults", KIND_DEFAULTS}, {"job", KIND_JOB},      {"lock", KIND_OBJECT},
	{"rlock", KIND_OBJECT},   {"semaphore", KIND_OBJECT},  {"event", KIND_OBJECT}, {"condition", KIND_OBJECT},
	{"barrier", KIND_OBJECT}, {"queue", KIND_OBJECT},      {"pipe", KIND_OBJECT},  {"value", KIND_OBJECT},
	{"array", KIND_OBJECT},   {"dict", KIND_OBJECT},       {"list", KIND_OBJECT},  {"namespace", KIND_OBJECT},
	{"group", KIND_LATER},    {"pool", KIND_LATER},        {"rwlock", KIND_LATER}, {"shm", KIND_LATER},
};

static void section_init(struct conf_section *s, struct span name)
{
	*s = (struct conf_section){.at.section = name, .title = ""};
	list_init(&s->entries);
}

static struct conf_section *section_new(struct reading *r, const struct conf_place *at, struct span title)
{
	struct conf_section *s = conf_alloc(r->conf, sizeof(*s));
	section_init(s, at->section);
	s->at = *at;
	s->title = title.p;
	return s;
}

static void refuse_second(struct conf *c, const struct conf_place *at, const struct conf_place *first)
{
	AUTO_BUF where = BUF_INIT;
	put_place(&where, first);
	if (span_eq(at->section, first->section))
		conf_error(c, at, "already defined at %s", buf_str(&where));
	else
		conf_error(c, at, "the name is [%s]'s, at %s", first->section.p, buf_str(&where));
}

/* [mpd] or [defaults]: one section whatever the number of files, once in each. */
static struct conf_section *enter_shared(struct reading *r, struct conf_section *s, bool *has,
					 const struct conf_place *at)
{
	if (*has) {
		refuse_second(r->conf, at, &s->at);
		return NULL;
	}
	*has = true;
	s->at = *at;
	return s;
}

#define NAME_MAX_LENGTH 128

static bool is_length(struct span title) { return title.n >= 1 && title.n <= NAME_MAX_LENGTH; }

static bool is_plain(struct span title)
{
	for (size_t i = 0; i < title.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", title.p[i]))
			return false;
	return true;
}

const char *conf_object_name_error(struct span name)
{
	if (!is_length(name))
		return "an object's name has 1 to 128 characters";
	return is_plain(name) ? NULL : "an object's name is made of letters, digits, \".\", \"_\" and \"-\"";
}

/* Beyond that a job's name looks like no option, no hidden file and no instance of a job. */
static const char *job_name_error(struct span title)
{
	size_t digits = 0;
	if (!is_length(title))
		return "a job's name has 1 to 128 characters";
	if (!is_plain(title))
		return "a job's name is made of letters, digits, \".\", \"_\" and \"-\"";
	if (title.p[0] == '.' || title.p[0] == '-')
		return "a job's name does not begin with \".\" or \"-\"";
	while (digits < title.n && title.p[title.n - 1 - digits] >= '0' && title.p[title.n - 1 - digits] <= '9')
		digits++;
	if (digits && digits < title.n && title.p[title.n - 1 - digits] == '.')
		return "a job's name does not end in \".\" and a number: that names an instance of a job";
	return NULL;
}

/* WRONG is what is wrong with the title, or NULL. */
static struct conf_section *enter_named(struct reading *r, struct span title, const char *wrong, struct conf_named *all,
					const struct conf_place *at)
{
	struct conf *c = r->conf;
	if (wrong) {
		conf_error(c, at, "%s", wrong);
		return NULL;
	}
	struct conf_section *s = section_new(r, at, title), *first = map_get_str(&all->by_title, title);
	if (first) {
		refuse_second(c, at, &first->at);
		return NULL;
	}
	if (map_put_str(&all->by_title, title, s) < 0)
		kept(NULL);
	list_push(&all->list, &s->node);
	return s;
}

/* WORD is the section's name up to its colon. */
static void refuse_unknown(struct conf *c, const struct conf_place *at, struct span word)
{
	const char *words[ARRAY_LEN(kinds)];
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		words[i] = kinds[i].word;
	const char *near = span_is(word, "program") ? "job" : fault_nearest(word, words, ARRAY_LEN(kinds));
	if (near)
		conf_error(c, at, "unknown section (did you mean \"[%s%s]\"?)", near, at->section.p + word.n);
	else
		conf_error(c, at, "unknown section");
}

static struct conf_section *enter_section(struct reading *r, const struct conf_place *at)
{
	const char *colon = memchr(at->section.p, ':', at->section.n);
	struct span word = {at->section.p, colon ? (size_t)(colon - at->section.p) : at->section.n};
	struct span title = colon ? (struct span){colon + 1, at->section.n - word.n - 1} : (struct span){NULL, 0};
	size_t i = 0;
	while (i < ARRAY_LEN(kinds) && !span_is(word, kinds[i].word))
		i++;
	if (i == ARRAY_LEN(kinds)) {
		refuse_unknown(r->conf, at, word);
	} else if (kinds[i].kind == KIND_LATER) {
		conf_error(r->conf, at, "is not supported yet");
	} else if (kinds[i].kind == KIND_JOB) {
		return enter_named(r, title, job_name_error(title), &r->conf->jobs, at);
	} else if (kinds[i].kind == KIND_OBJECT) {
		return enter_named(r, title, conf_object_name_error(title), &r->conf->objects, at);
	} else if (colon) {
		conf_error(r->conf, at, "this section has no name of its own: write [%s]", kinds[i].word);
	} else if (kinds[i].kind == KIND_MPD) {
		return enter_shared(r, &r->conf->mpd, &r->has_mpd, at);
	} else {
		return enter_shared(r, &r->conf->defaults, &r->has_defaults, at);
	}
	return NULL;
}

/* --- what ini.c tells ------------------------------------------------------------------------------------------- */

static void on_section(void *arg, unsigned line, struct span name)
{
	struct reading *r = arg;
	struct conf_place at = {r->file, line, conf_copy(r->conf, name)};
	r->section = enter_section(r, &at);
}

/* The entry of KEY in S; FILE, where given, asks for one of this file. */
static struct conf_entry *find_entry(const struct conf_section *s, struct span key, const struct conf_file *file)
{
	struct conf_entry *e;
	LIST_EACH (e, &s->entries, node)
		if (span_eq(e->key, key) && (!file || e->at.file == file))
			return e;
	return NULL;
}

static void warn_of_comment(struct conf *c, const struct conf_entry *e)
{
	static const char *const marks[] = {" ;", " #"};
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strstr(e->value.p, marks[i])) {
			conf_warning(c, &e->at,
				     "%s: \"%s\" is part of the value: a comment stands on a line of its own", e->key.p,
				     marks[i]);
			return;
		}
}

static void on_value(void *arg, unsigned line, struct span key, struct span value)
{
	struct reading *r = arg;
	struct conf *c = r->conf;
	struct conf_section *s = r->section;
	if (!s || (key.n > 2 && !memcmp(key.p, "x-", 2)))
		return;
	struct conf_place at = {r->file, line, s->at.section};
	struct conf_entry *e = find_entry(s, key, s == &c->mpd && span_is(key, "include") ? r->file : NULL);
	if (e) {
		AUTO_BUF where = BUF_INIT;
		put_place(&where, &e->at);
		conf_error(c, &at, "%s: already set at %s", key.p, buf_str(&where));
		return;
	}
	if (s->count++ >= CONF_KEYS_MAX) {
		conf_error(c, &at, "%s: a section has at most %d keys", key.p, CONF_KEYS_MAX);
		r->section = NULL;
		return;
	}
	e = conf_alloc(c, sizeof(*e));
	*e = (struct conf_entry){.at = at, .section = s, .key = conf_copy(c, key), .value = conf_copy(c, value)};
	list_push(&s->entries, &e->node);
	warn_of_comment(c, e);
}

static void on_error(void *arg, unsigned line, const char *what)
{
	struct reading *r = arg;
	struct conf_place at = {r->file, line, {NULL, 0}};
	conf_error(r->conf, &at, "%s", what);
}

static const struct ini_sink sink = {on_section, on_value, on_error};

/* --- files ------------------------------------------------------------------------------------------------------ */

static const char *check_file(struct conf *c, struct conf_file *f, int fd)
{
	struct stat st;
	struct conf_file *other;
	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_size > (off_t)CONF_FILE_MAX)
		return "larger than 16 MiB";
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->trusted = st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
	LIST_EACH (other, &c->files, node)
		if (other != f && other->dev == f->dev && other->ino == f->ino)
			return "was read before";
	return NULL;
}

/* A file that grows meanwhile is cut at the limit. */
static const char *slurp(int fd, struct buf *text)
{
	for (;;) {
		char *room = buf_room(text, 65536);
		long n = room ? RETRY(read(fd, room, 65536)) : 0;
		if (n < 0)
			return strerror(errno);
		if (n == 0 || text->len > CONF_FILE_MAX)
			return NULL;
		text->len += (size_t)n;
	}
}

static void read_includes(struct conf *, const struct conf_file *, struct conf_entry *);

static struct conf_file *file_new(struct conf *c, const char *name, const struct conf_file *from)
{
	struct conf_file *f = conf_alloc(c, sizeof(*f));
	f->name = conf_copy(c, span_of(name)).p;
	f->depth = from ? from->depth + 1 : 0;
	f->nth = list_empty(&c->files) ? 0 : LIST_ENTRY(c->files.prev, struct conf_file, node)->nth + 1;
	list_push(&c->files, &f->node);
	return f;
}

/* Reads the file and what it includes; returns what is wrong with the file itself, or NULL. */
static const char *read_file(struct conf *c, struct conf_file *f)
{
	AUTO_FD fd = open(f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP ? "is a symbolic link: name the file itself" : strerror(errno);
	AUTO_BUF text = BUF_INIT;
	const char *wrong = check_file(c, f, fd);
	if (!wrong)
		wrong = slurp(fd, &text);
	if (wrong)
		return wrong;
	struct reading r = {.conf = c, .file = f};
	if (text.failed || ini_read(buf_view(&text), &sink, &r) < 0)
		kept(NULL);
	struct conf_entry *include = find_entry(&c->mpd, SPAN("include"), f);
	if (include)
		read_includes(c, f, include);
	return NULL;
}

/* A file that could not be read is none of those whose owner counts, nor told as read. */
static void include_file(struct conf *c, const struct conf_file *from, struct conf_entry *e, const char *name)
{
	struct conf_file *f = file_new(c, name, from);
	const char *wrong = f->depth > CONF_DEPTH ? "too many files include one another" : read_file(c, f);
	if (!wrong)
		return;
	list_del(&f->node);
	conf_error(c, &e->at, "%s: %s: %s", e->key.p, name, wrong);
}

static bool has_magic(const char *pattern) { return strpbrk(pattern, "*?[") != NULL; }

/* The folder of the file that includes, with its slash, in front of a relative name; ESCAPE: for glob(3). */
static void put_folder(struct buf *out, const struct conf_file *from, bool escape)
{
	const char *slash = strrchr(from->name, '/');
	for (const char *p = from->name; slash && p <= slash; p++) {
		if (escape && strchr("*?[\\", *p))
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
}

static void include_pattern(struct conf *c, const struct conf_file *from, struct conf_entry *e, const char *pattern)
{
	AUTO_BUF path = BUF_INIT;
	if (*pattern != '/')
		put_folder(&path, from, has_magic(pattern));
	buf_puts(&path, pattern);
	const char *name = conf_keep(c, &path).p;
	if (!has_magic(pattern)) {
		include_file(c, from, e, name);
		return;
	}
	glob_t found;
	int err = glob(name, GLOB_ERR, NULL, &found);
	if (err == GLOB_NOSPACE)
		kept(NULL);
	if (err == GLOB_ABORTED)
		conf_error(c, &e->at, "%s: %s: %s", e->key.p, pattern, strerror(errno));
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		include_file(c, from, e, found.gl_pathv[i]);
	globfree(&found);
}

static void read_includes(struct conf *c, const struct conf_file *from, struct conf_entry *e)
{
	AUTO_BUF words = BUF_INIT;
	struct fault fault;
	size_t count;
	if (words_split(e->value, " \t", NULL, &words, &count, &fault)) {
		conf_refuse(c, e, fault.message);
		return;
	}
	for (const char *p = words.p; count > 0; count--, p += strlen(p) + 1)
		include_pattern(c, from, e, p);
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

void conf_init(struct conf *c)
{
	*c = (struct conf){.jobs.by_title = MAP_INIT, .objects.by_title = MAP_INIT};
	list_init(&c->files);
	list_init(&c->jobs.list);
	list_init(&c->objects.list);
	list_init(&c->notes);
	section_init(&c->mpd, SPAN("mpd"));
	section_init(&c->defaults, SPAN("defaults"));
}

void conf_done(struct conf *c)
{
	map_done(&c->jobs.by_title);
	map_done(&c->objects.by_title);
	arena_done(&c->arena);
}

void conf_read(struct conf *c, const char *name, bool may_miss)
{
	struct conf_file *f = file_new(c, name, NULL);
	struct conf_place at = {.file = f};
	errno = 0;
	const char *wrong = read_file(c, f);
	if (!wrong)
		return;
	list_del(&f->node);
	if (!may_miss || errno != ENOENT)
		conf_error(c, &at, "%s", wrong);
}

const struct conf_file *conf_untrusted(const struct conf *c)
{
	const struct conf_file *f;
	LIST_EACH (f, &c->files, node)
		if (!f->trusted)
			return f;
	return NULL;
}
