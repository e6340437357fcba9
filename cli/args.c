/* SPDX-License-Identifier: MIT */
/*
 * Flags and words: args.h.
 *
 * 1. One kind of row describes every flag, struct api_arg: the registry's, mpctl's own, and those of all verbs; they
 *    are looked for in this order.
 * 2. Flags and words may be mixed; "--" ends the flags, and what follows it is a command where the verb takes one.
 */
#include "cli/args.h"
#include "cli/render.h"
#include "common/units.h"

const struct api_arg args_own[FLAG_COUNT] = {
	[FLAG_NO_WAIT] = {"no_wait", API_BOOL, 0, 'n', NULL, "do not wait", 0},
	[FLAG_WAIT] = {"wait", API_BOOL, 0, 0, NULL, "return when they have ended", 0},
	[FLAG_TIMEOUT] = {"timeout", API_DURATION, 0, 'w', "SEC", "wait no longer than this", 0},
	[FLAG_LEADER_ONLY] = {"leader_only", API_BOOL, 0, 0, NULL, "the main process alone, not its tree", 0},
	[FLAG_DETACH] = {"detach", API_BOOL, 0, 'd', NULL, "do not wait for its end: print its id", 0},
	[FLAG_ENV] = {"env", API_STR, 0, 'e', "K=V", "set a variable; K alone: as it is here", 0},
	[FLAG_DIR] = {"cwd", API_STR, 0, 'C', "DIR", "working directory", 0},
	[FLAG_PARENT] = {"parent", API_INT, 0, 0, "PID", "whose child it is", 0},
	[FLAG_COLUMNS] = {"columns", API_STR, 0, 'o', "COLS", "columns, separated by commas", 0},
	[FLAG_TREE] = {"tree", API_BOOL, 0, 't', NULL, "children indented below their parents", 0},
	[FLAG_CHILDREN] = {"children", API_BOOL, 0, 0, NULL, "the children of TARGET, or of the caller, only", 0},
	[FLAG_NO_HEADER] = {"no_header", API_BOOL, 0, 0, NULL, "no line with the columns' names", 0},
	[FLAG_WATCH] = {"watch", API_BOOL, 0, 0, NULL, "draw it again at every change and second, until ^C", 0},
	[FLAG_ALL] = {"all", API_BOOL, 0, 'a', NULL, "also what has ended and was joined", 0},
	[FLAG_FOLLOW] = {"follow", API_BOOL, 0, 'f', NULL, "go on with what comes, until the end or ^C", 0},
	[FLAG_NO_PREFIX] = {"no_prefix", API_BOOL, 0, 0, NULL, "no name before the lines of several", 0},
	[FLAG_USER] = {"user", API_STR, 0, 0, "USER[:GROUP]", "as whom (root): of /etc/passwd, /etc/group, or UID:GID",
		       0},
	[FLAG_LIMIT_AS] = {"limit_as", API_STR, 0, 0, "N",
			   "bytes of memory: N, SOFT:HARD, 1G, unlimited; so the others", 0},
	[FLAG_LIMIT_CORE] = {"limit_core", API_STR, 0, 0, "N", "bytes of a core file", 0},
	[FLAG_LIMIT_CPU] = {"limit_cpu", API_STR, 0, 0, "N", "seconds of processor time", 0},
	[FLAG_LIMIT_DATA] = {"limit_data", API_STR, 0, 0, "N", "bytes of data and heap", 0},
	[FLAG_LIMIT_FSIZE] = {"limit_fsize", API_STR, 0, 0, "N", "bytes of a file it writes", 0},
	[FLAG_LIMIT_MEMLOCK] = {"limit_memlock", API_STR, 0, 0, "N", "bytes it may lock in memory", 0},
	[FLAG_LIMIT_NOFILE] = {"limit_nofile", API_STR, 0, 0, "N", "descriptors", 0},
	[FLAG_LIMIT_NPROC] = {"limit_nproc", API_STR, 0, 0, "N", "processes of its user", 0},
	[FLAG_LIMIT_STACK] = {"limit_stack", API_STR, 0, 0, "N", "bytes of stack", 0},
	[FLAG_OWNER] = {"owner", API_INT, 0, 0, "PID", "whose it is; in scripts always --owner $$ (mpctl's parent)", 0},
	[FLAG_FENCE] = {"fence", API_STR, 0, 0, "LOCK:TOKEN", "only while that lock is held with that token", 0},
	[FLAG_ACK] = {"ack", API_ENUM, 0, 0, "auto|manual",
		      "manual: the item stays claimed by the owner until it is settled", 0},
	[FLAG_STRING] = {"string", API_BOOL, 0, 'S', NULL, "values are text, also what would be JSON", 0},
	[FLAG_RAW] = {"raw", API_BOOL, 0, 0, NULL, "bytes as they are: no JSON, no newline", 0},
	[FLAG_LINES] = {"lines", API_BOOL, 0, 'l', NULL, "every line of stdin is an item", 0},
	[FLAG_NULL] = {"null", API_BOOL, 0, '0', NULL, "every item of stdin ends with a NUL", 0},
	[FLAG_ACTION] = {"action", API_STR, 0, 0, "CMD", "the last to come runs it, by sh -c, before all go on", 0},
	[FLAG_ONE_WAY] = {"one_way", API_BOOL, 0, 0, NULL, "NAME:1 sends and NAME:0 receives, nothing else", 0},
	[FLAG_DOT] = {"dot", API_BOOL, 0, 0, NULL, "for Graphviz", 0},
};

enum global { GLOBAL_SOCKET, GLOBAL_JSON, GLOBAL_QUIET, GLOBAL_VERBOSE, GLOBAL_COLOR, GLOBAL_HELP, GLOBAL_VERSION };

const struct api_arg args_global[] = {
	[GLOBAL_SOCKET] = {"socket", API_STR, 0, 's', "SOCKET", "the daemon's socket (MPCTL_SOCKET)", 0},
	[GLOBAL_JSON] = {"json", API_BOOL, 0, 0, NULL, "print JSON, one object a line", 0},
	[GLOBAL_QUIET] = {"quiet", API_BOOL, 0, 'q', NULL, "print less", 0},
	[GLOBAL_VERBOSE] = {"verbose", API_BOOL, 0, 'v', NULL, "print more", 0},
	[GLOBAL_COLOR] = {"color", API_ENUM, 0, 0, "auto|always|never", "colour (auto: on a terminal without NO_COLOR)",
			  0},
	[GLOBAL_HELP] = {"help", API_BOOL, 0, 'h', NULL, "show help", 0},
	[GLOBAL_VERSION] = {"version", API_BOOL, 0, 'V', NULL, "show mpctl's version", 0},
};
const size_t args_nglobal = ARRAY_LEN(args_global);

/* What the global options set; help and version are acted on where they are read. */
static const struct {
	const char **text;
	bool *flag;
} globals[] = {
	[GLOBAL_SOCKET] = {.text = &options.socket},
	[GLOBAL_JSON] = {.flag = &options.json},
	[GLOBAL_QUIET] = {.flag = &options.quiet},
	[GLOBAL_VERBOSE] = {.flag = &options.verbose},
	[GLOBAL_COLOR] = {.text = &options.color},
	[GLOBAL_HELP] = {NULL, NULL},
	[GLOBAL_VERSION] = {NULL, NULL},
};

const char *args_name(const struct api_arg *arg, char room[ARGS_NAME_MAX])
{
	size_t n = 0;
	for (; n < ARGS_NAME_MAX - 1 && arg->name[n]; n++)
		room[n] = arg->name[n] == '_' ? '-' : arg->name[n];
	room[n] = '\0';
	return room;
}

/* --- members ----------------------------------------------------------------------------------------------------- */

void member(struct buf *b, const char *name) { buf_printf(b, "%s\"%s\":", b->len ? "," : "", name); }

void member_raw(struct buf *b, const char *name, const char *json)
{
	member(b, name);
	buf_puts(b, json);
}

void member_int(struct buf *b, const char *name, int64_t n)
{
	member(b, name);
	buf_printf(b, "%lld", (long long)n);
}

void member_words(struct buf *b, const char *name, char *const *words, size_t n)
{
	member(b, name);
	for (size_t i = 0; i < n; i++) {
		buf_putc(b, i ? ',' : '[');
		scan_put_bytes(b, span_of(words[i]));
	}
	buf_puts(b, n ? "]" : "[]");
}

/* --- wrong usage ------------------------------------------------------------------------------------------------- */

/* "stop: " and where to read on; without a verb, mpctl's own. */
static void __attribute__((noreturn)) wrong(const struct verb *verb, const char *hint, const char *what)
{
	if (!verb)
		die(STATUS_USAGE, "%s (%ssee: mpctl help)", what, hint);
	die(STATUS_USAGE, "%s: %s (%ssee: mpctl help %s)", verb->name, what, hint, verb->name);
}

void args_wrong(const struct args *a, const char *fmt, ...)
{
	AUTO_BUF what = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&what, fmt, ap);
	va_end(ap);
	wrong(a->verb, "", buf_str(&what));
}

void args_most(const struct args *a, size_t max)
{
	if (a->nwords > max)
		args_wrong(a, "unexpected argument \"%s\"", a->words[max]);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static int put_int(struct buf *b, const char *value)
{
	char *end;
	errno = 0;
	long long n = strtoll(value, &end, 10);
	if (end == value || *end || errno)
		return -1;
	buf_printf(b, "%lld", n);
	return 0;
}

static int put_duration(struct buf *b, const char *value)
{
	nsec_t t;
	if (units_duration(span_of(value), &t) < 0)
		return -1;
	buf_printf(b, "%lld.%09lld", (long long)(t / NSEC_PER_SEC), (long long)(t % NSEC_PER_SEC));
	return 0;
}

static int put_signal(struct buf *b, const char *value)
{
	int signo;
	if (units_signal(span_of(value), &signo) < 0)
		return -1;
	buf_printf(b, "%d", signo);
	return 0;
}

static int put_text(struct buf *b, const char *value)
{
	scan_put_str(b, span_of(value));
	return 0;
}

/* A newline within JSON is white space, and would end the request's line. */
void args_json(struct buf *b, struct span word)
{
	struct scan_error error;
	struct span value;
	if (scan_check(word, &value, &error) < 0) {
		scan_put_bytes(b, word);
		return;
	}
	size_t at = b->len;
	buf_span(b, value);
	for (; at < b->len; at++)
		if (b->p[at] == '\n' || b->p[at] == '\r')
			b->p[at] = ' ';
}

static int put_json(struct buf *b, const char *value)
{
	args_json(b, span_of(value));
	return 0;
}

static int put_true(struct buf *b, const char *value)
{
	buf_puts(b, "true");
	return *value ? -1 : 0;
}

/* The types a flag can have: how its value becomes JSON, and what to say when it cannot. */
static const struct {
	int (*put)(struct buf *, const char *);
	const char *must;
} values[] = {
	[API_STR] = {put_text, "text"},
	[API_BYTES] = {put_text, "text"},
	[API_BOOL] = {put_true, "nothing: it takes no value"},
	[API_INT] = {put_int, "a whole number"},
	[API_DURATION] = {put_duration, "a number of seconds, or like 500ms, 10s, 2m, 1h"},
	[API_ENUM] = {put_text, NULL},
	[API_SIGNAL] = {put_signal, "the name or number of a signal"},
	[API_JSON] = {put_json, NULL},
};

static bool is_choice(const struct api_arg *arg, const char *value)
{
	struct span choice;
	for (size_t i = 0; (choice = api_choice(arg, i)).p; i++)
		if (span_is(choice, value))
			return true;
	return false;
}

nsec_t args_duration(const char *value)
{
	nsec_t t = 0;
	units_duration(span_of(value), &t);
	return t;
}

/* --- finding a flag ---------------------------------------------------------------------------------------------- */

enum where { NOWHERE, IN_REGISTRY, IN_OWN, IN_GLOBAL };
struct found {
	enum where where;
	size_t nth;
	const struct api_arg *arg;
};

/* What was typed: a long name, without "--" and "=...", or a letter. */
struct typed {
	struct span name;
	char letter;
};

static bool is_typed(const struct api_arg *arg, const struct typed *t)
{
	char room[ARGS_NAME_MAX];
	return t->letter ? arg->letter == t->letter : span_is(t->name, args_name(arg, room));
}

bool args_takes(const struct verb *verb, size_t n)
{
	const struct api_arg *arg = &api_cmd(verb->cmd)->args[n];
	bool flag = arg->type < ARRAY_LEN(values) && values[arg->type].put;
	return flag && !(arg->flags & (API_HIDDEN | API_POSITIONAL)) && !(verb->hidden >> n & 1);
}

char args_letter(const struct verb *verb, enum flag flag)
{
	const struct api_cmd *cmd = api_cmd(verb->cmd);
	char letter = args_own[flag].letter;
	for (size_t i = 0; i < cmd->nargs; i++)
		if (args_takes(verb, i) && cmd->args[i].letter == letter)
			return '\0';
	return letter;
}

/* Calls EACH with every flag of VERB (may be NULL: the global ones alone) until it says true. */
static bool flags_each(const struct verb *verb, bool (*each)(const struct found *, void *), void *arg)
{
	for (size_t i = 0; verb && i < api_cmd(verb->cmd)->nargs; i++)
		if (args_takes(verb, i) && each(&(struct found){IN_REGISTRY, i, &api_cmd(verb->cmd)->args[i]}, arg))
			return true;
	for (size_t i = 0; verb && i < FLAG_COUNT; i++)
		if (verb->own >> i & 1 && each(&(struct found){IN_OWN, i, &args_own[i]}, arg))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(args_global); i++)
		if (each(&(struct found){IN_GLOBAL, i, &args_global[i]}, arg))
			return true;
	return false;
}

struct search {
	const struct typed *typed;
	struct found found;
};

static bool search_each(const struct found *f, void *arg)
{
	struct search *s = arg;
	if (!is_typed(f->arg, s->typed))
		return false;
	s->found = *f;
	return true;
}

static struct found flag_find(const struct verb *verb, const struct typed *typed)
{
	struct search s = {.typed = typed};
	flags_each(verb, search_each, &s);
	return s.found;
}

struct names {
	char room[64][ARGS_NAME_MAX];
	const char *v[64];
	size_t n;
};

static bool names_each(const struct found *f, void *arg)
{
	struct names *names = arg;
	names->v[names->n] = args_name(f->arg, names->room[names->n]);
	names->n++;
	return names->n == ARRAY_LEN(names->v);
}

/* Whether the other verb of this name, with or without a command, has the flag. */
static void wrong_form(const struct verb *verb, const struct typed *typed, const char *word)
{
	AUTO_BUF what = BUF_INIT;
	const struct verb *other = verb_find(verb->name, !(verb->shape & VERB_COMMAND));
	if (!other || other == verb || !flag_find(other, typed).where)
		return;
	buf_printf(&what, "%s goes %s a command", word, other->shape & VERB_COMMAND ? "with" : "without");
	wrong(verb, other->shape & VERB_COMMAND ? "put -- before it, " : "", buf_str(&what));
}

static void __attribute__((noreturn)) wrong_flag(const struct verb *verb, const struct typed *typed, const char *word)
{
	AUTO_BUF what = BUF_INIT;
	AUTO_BUF hint = BUF_INIT;
	struct names names = {.n = 0};
	if (verb)
		wrong_form(verb, typed, word);
	flags_each(verb, names_each, &names);
	const char *near = typed->letter ? NULL : fault_nearest(typed->name, names.v, names.n);
	buf_printf(&what, "unknown flag %s", word);
	if (near)
		buf_printf(&hint, "did you mean --%s? ", near);
	wrong(verb, buf_str(&hint), buf_str(&what));
}

/* --- applying one ------------------------------------------------------------------------------------------------ */

static void set_global(size_t nth, const char *value)
{
	if (globals[nth].text)
		*globals[nth].text = value;
	if (globals[nth].flag)
		*globals[nth].flag = true;
}

static void act_global(const struct verb *verb, size_t nth)
{
	if (nth == GLOBAL_VERSION) {
		version_print();
		quit(STATUS_OK);
	}
	if (nth == GLOBAL_HELP) {
		if (verb)
			help_verb(verb);
		else
			verb_help(NULL, NULL);
		quit(STATUS_OK);
	}
}

/* A positional argument is called by what help shows for it. */
static void check_value(const struct verb *verb, const struct api_arg *arg, const char *value, struct buf *ret_json)
{
	AUTO_BUF what = BUF_INIT;
	char name[ARGS_NAME_MAX];
	bool right = values[arg->type].put(ret_json, value) == 0;
	if (arg->type == API_ENUM ? is_choice(arg, value) : right)
		return;
	const char *must = arg->type == API_ENUM ? arg->hint : values[arg->type].must;
	if (arg->flags & API_POSITIONAL)
		buf_printf(&what, "%s", arg->type == API_ENUM ? arg->name : arg->hint);
	else
		buf_printf(&what, "--%s", args_name(arg, name));
	buf_printf(&what, " \"%s\": must be %s", value, must);
	wrong(verb, "", buf_str(&what));
}

void args_member(struct args *a, const struct api_arg *arg, const char *word)
{
	AUTO_BUF json = BUF_INIT;
	if (arg->type == API_JSON && a->own[FLAG_STRING])
		scan_put_bytes(&json, span_of(word));
	else
		check_value(a->verb, arg, word, &json);
	member_raw(&a->members, arg->name, buf_str(&json));
}

static bool is_positional(const struct api_arg *arg, unsigned required)
{
	return (arg->flags & (API_POSITIONAL | API_REQUIRED)) == (API_POSITIONAL | required);
}

/* Words that are wanted by those who must have one come before what may be left out: value cas NAME [OLD] NEW. */
void args_positional(struct args *a, size_t skip)
{
	const struct api_cmd *cmd = api_cmd(a->verb->cmd);
	size_t at = skip, wanted = 0;
	char name[ARGS_NAME_MAX];
	for (size_t i = 0; i < cmd->nargs; i++)
		wanted += is_positional(&cmd->args[i], API_REQUIRED);
	for (size_t i = 0; i < cmd->nargs; i++) {
		const struct api_arg *arg = &cmd->args[i];
		bool must = is_positional(arg, API_REQUIRED);
		if (must && at == a->nwords)
			args_wrong(a, "%s is missing: %s", arg->hint, arg->help);
		if (arg->flags == API_REQUIRED && !a->param[i])
			args_wrong(a, "--%s is missing: %s", args_name(arg, name), arg->help);
		if (must || (is_positional(arg, 0) && at + wanted < a->nwords))
			args_member(a, arg, a->words[at++]);
		wanted -= must;
	}
	args_most(a, at);
}

static void push_env(struct args *a, const char *value)
{
	a->env = reallocarray(a->env, a->nenv + 1, sizeof(*a->env));
	if (!a->env)
		die(STATUS_FAILED, "out of memory");
	a->env[a->nenv++] = value;
}

/* VALUE is "" where the flag takes none. A flag that is given again replaces mpctl's own, but not the registry's,
 * which is in the request already. */
static void flag_set(struct args *a, const struct verb *verb, const struct found *f, const char *value)
{
	AUTO_BUF json = BUF_INIT;
	char name[ARGS_NAME_MAX];
	check_value(verb, f->arg, value, &json);
	if (f->where == IN_GLOBAL) {
		set_global(f->nth, value);
		act_global(verb, f->nth);
	} else if (f->where == IN_OWN) {
		a->own[f->nth] = value;
		if (f->nth == FLAG_ENV)
			push_env(a, value);
	} else {
		if (a->param[f->nth])
			args_wrong(a, "--%s is given twice", args_name(f->arg, name));
		a->param[f->nth] = value;
		member_raw(&a->members, f->arg->name, buf_str(&json));
	}
}

/* --- the words of the line --------------------------------------------------------------------------------------- */

static const char *next_value(const struct verb *verb, char **argv, const char *word)
{
	AUTO_BUF what = BUF_INIT;
	if (argv[1])
		return argv[1];
	buf_printf(&what, "%s needs a value", word);
	wrong(verb, "", buf_str(&what));
}

/* --name, --name=VALUE, --name VALUE. Returns how many words it took. */
static size_t parse_long(struct args *a, const struct verb *verb, char **argv)
{
	const char *name = argv[0] + 2;
	const char *equals = strchr(name, '=');
	struct typed typed = {.name = {name, equals ? (size_t)(equals - name) : strlen(name)}};
	struct found f = flag_find(verb, &typed);
	if (!f.where)
		wrong_flag(verb, &typed, argv[0]);
	bool takes_next = !equals && f.arg->type != API_BOOL;
	flag_set(a, verb, &f, equals ? equals + 1 : takes_next ? next_value(verb, argv, argv[0]) : "");
	return takes_next ? 2 : 1;
}

/* -f, -fv, -nVALUE, -n VALUE. */
static size_t parse_short(struct args *a, const struct verb *verb, char **argv)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		struct typed typed = {.letter = *p};
		char word[] = {'-', *p, '\0'};
		struct found f = flag_find(verb, &typed);
		if (!f.where)
			wrong_flag(verb, &typed, word);
		if (f.arg->type != API_BOOL) {
			flag_set(a, verb, &f, p[1] ? p + 1 : next_value(verb, argv, word));
			return p[1] ? 1 : 2;
		}
		flag_set(a, verb, &f, "");
	}
	return 1;
}

/* "-5" is a number where words may be values, unless the verb has such a letter. */
static bool is_flag(const struct verb *verb, const char *word)
{
	bool digit = word[0] == '-' && word[1] >= '0' && word[1] <= '9';
	if (digit && verb && verb->shape & VERB_VALUES)
		return flag_find(verb, &(struct typed){.letter = word[1]}).where != NOWHERE;
	return word[0] == '-' && word[1];
}

static size_t parse_flag(struct args *a, const struct verb *verb, char **argv)
{
	return argv[0][1] == '-' ? parse_long(a, verb, argv) : parse_short(a, verb, argv);
}

size_t args_globals(char **argv)
{
	size_t n = 0;
	while (argv[n] && is_flag(NULL, argv[n]))
		n += parse_flag(NULL, NULL, argv + n);
	return n;
}

/* "--": the rest is the command, or words that may begin with '-'. */
static void parse_rest(struct args *a, char **argv)
{
	if (a->verb->shape & VERB_COMMAND)
		a->command = argv;
	else
		for (; *argv; argv++)
			a->words[a->nwords++] = *argv;
}

void args_parse(struct args *a, const struct verb *verb, char **argv)
{
	*a = (struct args){.verb = verb, .words = argv};
	while (*argv && strcmp(*argv, "--") != 0) {
		if (is_flag(verb, *argv)) {
			argv += parse_flag(a, verb, argv);
			continue;
		}
		if (verb->shape & VERB_PREFIX) {
			a->command = argv;
			return;
		}
		a->words[a->nwords++] = *argv++;
	}
	if (*argv)
		parse_rest(a, argv + 1);
}

void args_targets(struct args *a, size_t skip, bool all, bool optional)
{
	if (a->nwords > skip && all)
		args_wrong(a, "either targets or --all, not both");
	if (a->nwords > skip)
		member_words(&a->members, "targets", a->words + skip, a->nwords - skip);
	else if (!all && !optional)
		args_wrong(a, "which? name a target");
}
