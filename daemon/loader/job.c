/* SPDX-License-Identifier: MIT */
/*
 * The keys of [job:X] and [defaults], and what they mean together.
 *
 * 1. Every key of the documentation has a row, or a name in `later`: none is ever ignored.
 * 2. A job's own key counts before the one of [defaults]; only variables of the environment add up.
 * 3. What holds for all instances is read once, by job_read(); a row with KEY_EACH once an instance.
 */
#include "daemon/loader/job.h"
#include "common/units.h"
#include "daemon/loader/keys.h"
#include <signal.h>
#include <stdio.h>

#define INSTANCES_MAX 10000
#define ENV_MAX 4096 /* variables of a process */
#define LIST_SEPARATORS " \t,"

/* --- readers ---------------------------------------------------------------------------------------------------- */

/* N strings that follow one another in TEXT, each with its NUL. */
static struct strings strings_of(struct conf *c, const struct buf *text, size_t n)
{
	struct strings s = {conf_alloc(c, n * sizeof(*s.v)), n};
	const char *p = conf_keep(c, text).p;
	for (size_t i = 0; i < n; p += s.v[i++].n + 1)
		s.v[i] = span_of(p);
	return s;
}

static int split(const struct key_value *v, const char *separators, struct strings *ret, struct fault *f)
{
	AUTO_BUF out = BUF_INIT;
	size_t count;
	int err = words_split(v->text, separators, v->self, &out, &count, f);
	if (!err)
		*ret = strings_of(v->conf, &out, count);
	return err;
}

static int read_list(const struct key_value *v, struct fault *f) { return split(v, LIST_SEPARATORS, v->to, f); }

static int read_shell_command(const struct key_value *v, struct strings *ret, struct fault *f)
{
	AUTO_BUF out = BUF_INIT;
	buf_put(&out, "/bin/sh\0-c\0", 11);
	int err = words_expand(v->text, v->self, &out, f);
	if (err)
		return err;
	buf_putc(&out, '\0');
	*ret = strings_of(v->conf, &out, 3);
	return 0;
}

static int read_command(const struct key_value *v, struct fault *f)
{
	struct job *job = v->to;
	if (!v->text.n)
		return fault_set(f, FAULT_PARAMS, "there is no command");
	if (job->shell)
		return read_shell_command(v, &job->argv, f);
	int err = split(v, " \t", &job->argv, f);
	if (!err && !job->argv.v[0].n)
		err = fault_set(f, FAULT_PARAMS, "the name of the program is empty");
	return err;
}

static int read_autostart(const struct key_value *v, struct fault *f)
{
	return span_is(v->text, "last") ? key_wrong(v, f, "is not supported yet") : key_bool(v, f);
}

/* supervisord's: unexpected or a boolean. */
static int read_autorestart(const struct key_value *v, struct fault *f)
{
	uint8_t always = 0;
	struct key_value as_bool = *v;
	as_bool.to = &always;
	if (span_is(v->text, "unexpected")) {
		*(uint8_t *)v->to = RESTART_UNEXPECTED;
		return 0;
	}
	if (key_bool(&as_bool, f))
		return key_wrong(v, f, "is not one of: true, false, unexpected");
	*(uint8_t *)v->to = always ? RESTART_ALWAYS : RESTART_NO;
	return 0;
}

/* supervisord's number of tries, where 0 is none and not any number. */
static int read_startretries(const struct key_value *v, struct fault *f)
{
	if (span_is(v->text, "0"))
		return fault_set(f, FAULT_PARAMS, "no retries are written \"restart = no\" here");
	return key_count(v, f);
}

static int add_success(struct jobtab_job *def, struct span word, struct fault *f)
{
	char *end;
	int signo;
	bool number = word.n && *word.p >= '0' && *word.p <= '9';
	unsigned long code = strtoul(word.p, &end, 10);
	if (number && !*end && code <= 255)
		def->success[code / 8] |= (uint8_t)(1u << code % 8);
	else if (!number && !units_signal(word, &signo) && signo < 64)
		def->success_signals |= UINT64_C(1) << signo;
	else
		return fault_set(f, FAULT_PARAMS, "\"%.100s\" is neither an exit code (0 to 255) nor a signal", word.p);
	return 0;
}

/* systemd's list (the row's `min` is 1) is what counts besides 0. */
static int read_success_codes(const struct key_value *v, struct fault *f)
{
	struct jobtab_job *def = v->to;
	struct strings words = {NULL, 0};
	int err = split(v, LIST_SEPARATORS, &words, f);
	memset(def->success, 0, sizeof(def->success));
	def->success_signals = 0;
	def->success[0] = v->key->min ? 1 : 0;
	for (size_t i = 0; !err && i < words.n; i++)
		err = add_success(def, words.v[i], f);
	return err;
}

static int read_systemd_kill_mode(const struct key_value *v, struct fault *f)
{
	bool tree = span_is(v->text, "control-group");
	if (!tree && !span_is(v->text, "process"))
		return key_wrong(v, f, "is not supported yet (control-group and process are)");
	*(uint8_t *)v->to = tree ? KILL_TREE : KILL_PROCESS;
	return 0;
}

static int read_umask(const struct key_value *v, struct fault *f)
{
	char *end;
	long mask = strtol(v->text.p, &end, 8);
	if (v->text.n == 0 || v->text.n > 4 || *end || mask < 0 || mask > 0777)
		return key_wrong(v, f, "is not a mask from 000 to 777");
	*(int32_t *)v->to = (int32_t)mask;
	return 0;
}

/* The row's `min` is the descriptor. */
static int read_stdio(const struct key_value *v, struct fault *f)
{
	struct job *job = v->to;
	int64_t fd = v->key->min;
	const char *text = v->text.p;
	bool is_path = !strncmp(text, "file:", 5);
	if (is_path && text[5] != '/')
		return key_wrong(v, f, "does not name an absolute path");
	if (!strcmp(text, "journal") || !strcmp(text, "syslog"))
		return key_wrong(v, f, "is not supported yet");
	job->path[fd] = is_path ? text + 5 : NULL;
	if (is_path)
		job->stdio[fd] = PLAN_FILE;
	else if (!strcmp(text, "null"))
		job->stdio[fd] = PLAN_NULL;
	else if (!strcmp(text, "inherit"))
		job->stdio[fd] = PLAN_INHERIT;
	else if (!strcmp(text, "log") && fd != STDIN_FILENO)
		job->stdio[fd] = PLAN_PIPE;
	else
		return key_wrong(v, f, "is not one of: %snull, inherit, file:PATH", fd == STDIN_FILENO ? "" : "log, ");
	return 0;
}

/* supervisord's stdout_logfile and stderr_logfile. */
static int read_logfile(const struct key_value *v, struct fault *f)
{
	static const struct {
		const char *name;
		enum plan_stdio stdio;
	} words[] = {
		{"AUTO", PLAN_PIPE},           {"NONE", PLAN_NULL},           {"/dev/null", PLAN_NULL},
		{"/dev/stdout", PLAN_INHERIT}, {"/dev/stderr", PLAN_INHERIT}, {"/dev/fd/1", PLAN_INHERIT},
		{"/dev/fd/2", PLAN_INHERIT},
	};
	struct job *job = v->to;
	int64_t fd = v->key->min;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (span_is(v->text, words[i].name)) {
			job->stdio[fd] = (uint8_t)words[i].stdio;
			return 0;
		}
	if (span_is(v->text, "syslog"))
		return key_wrong(v, f, "is not supported yet");
	if (v->text.n == 0 || v->text.p[0] != '/')
		return key_wrong(v, f, "is not one of: AUTO, NONE, an absolute path");
	job->stdio[fd] = PLAN_PIPE;
	job->log_file[fd - STDOUT_FILENO] = v->text.p;
	return 0;
}

/* --- the table -------------------------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(struct job, member)
#define EACH .flags = KEY_EACH
#define WORDS .flags = KEY_WORDS
static const struct key rows[] = {
	{"processes", JOB_PROCESSES, key_count, AT(def.instances), .min = 1, .max = INSTANCES_MAX},
	{"numprocs", JOB_PROCESSES, key_count, AT(def.instances), .min = 1, .max = INSTANCES_MAX},
	{"command", JOB_COMMAND, read_command, .offset = 0, .flags = KEY_EACH | KEY_WORDS},
	{"ExecStart", JOB_COMMAND, read_command, .offset = 0, .flags = KEY_EACH | KEY_WORDS},
	{"shell", JOB_SHELL, key_bool, AT(shell)},
	{"autostart", JOB_AUTOSTART, read_autostart, AT(def.autostart)},
	{"restart", JOB_RESTART, key_choice, AT(def.restart), .choices = "no|on-failure|always|unexpected"},
	{"autorestart", JOB_RESTART, read_autorestart, AT(def.restart)},
	{"Restart", JOB_RESTART, key_choice, AT(def.restart), .choices = "no|on-failure|always",
	 .later = "on-success|on-abnormal|on-abort|on-watchdog"},
	{"success_codes", JOB_SUCCESS_CODES, read_success_codes, AT(def), WORDS},
	{"exitcodes", JOB_SUCCESS_CODES, read_success_codes, AT(def), WORDS},
	{"SuccessExitStatus", JOB_SUCCESS_CODES, read_success_codes, AT(def), .min = 1, WORDS},
	{"start_seconds", JOB_START_SECONDS, key_duration, AT(def.start_seconds)},
	{"startsecs", JOB_START_SECONDS, key_duration, AT(def.start_seconds)},
	{"restart_delay", JOB_RESTART_DELAY, key_duration, AT(def.restart_delay), .min = NSEC_PER_MS},
	{"RestartSec", JOB_RESTART_DELAY, key_duration, AT(def.restart_delay), .min = NSEC_PER_MS},
	{"restart_delay_max", JOB_RESTART_DELAY_MAX, key_duration, AT(def.restart_delay_max), .min = NSEC_PER_MS},
	{"restart_limit", JOB_RESTART_LIMIT, key_count, AT(def.restart_limit), .max = INT32_MAX},
	{"startretries", JOB_RESTART_LIMIT, read_startretries, AT(def.restart_limit), .min = 1, .max = INT32_MAX},
	{"stop_signal", JOB_STOP_SIGNAL, key_signal, AT(def.stop_signal)},
	{"stopsignal", JOB_STOP_SIGNAL, key_signal, AT(def.stop_signal)},
	{"KillSignal", JOB_STOP_SIGNAL, key_signal, AT(def.stop_signal)},
	{"stop_timeout", JOB_STOP_TIMEOUT, key_duration, AT(def.stop_timeout)},
	{"stopwaitsecs", JOB_STOP_TIMEOUT, key_duration, AT(def.stop_timeout)},
	{"kill_mode", JOB_KILL_MODE, key_choice, AT(def.kill_mode), .choices = "tree|group|process"},
	{"KillMode", JOB_KILL_MODE, read_systemd_kill_mode, AT(def.kill_mode)},
	{"stopasgroup", JOB_STOPASGROUP, key_bool, AT(stop_group)},
	{"killasgroup", JOB_KILLASGROUP, key_bool, AT(kill_group)},
	{"user", JOB_USER, key_text, AT(user_name)},
	{"group", JOB_GROUP, key_text, AT(group_name)},
	{"groups", JOB_GROUPS, read_list, AT(groups), WORDS},
	{"umask", JOB_UMASK, read_umask, AT(umask)},
	{"directory", JOB_DIRECTORY, key_path, AT(directory), EACH},
	{"environment", JOB_ENVIRONMENT, .read = NULL},
	{"environment.*", JOB_ENVIRONMENT, .read = NULL},
	{"stdin", JOB_STDIN, read_stdio, .offset = 0, .min = STDIN_FILENO, EACH},
	{"stdout", JOB_STDOUT, read_stdio, .offset = 0, .min = STDOUT_FILENO, EACH},
	{"stdout_logfile", JOB_STDOUT, read_logfile, .offset = 0, .min = STDOUT_FILENO},
	{"stderr", JOB_STDERR, read_stdio, .offset = 0, .min = STDERR_FILENO, EACH},
	{"stderr_logfile", JOB_STDERR, read_logfile, .offset = 0, .min = STDERR_FILENO},
	{"merge_stderr", JOB_MERGE_STDERR, key_bool, AT(merge_stderr)},
	{"redirect_stderr", JOB_MERGE_STDERR, key_bool, AT(merge_stderr)},
	{"log_file", JOB_LOG_FILE, key_path, AT(log_file[0])},
	{"log_timestamps", JOB_LOG_TIMESTAMPS, key_bool, AT(def.log_timestamps)},
	{"description", JOB_DESCRIPTION, key_text, AT(description)},
	{"Description", JOB_DESCRIPTION, key_text, AT(description)},
	{"context", JOB_CONTEXT, key_choice, AT(context), .choices = "spawn", .later = "fork|forkserver"},
};

static const char later[] =
	"type|Type|start_timeout|TimeoutStartSec|on_failure|OnFailure|on_exit|stop_command|reload_signal|"
	"after|After|requires|Requires|before|ready|ready_timeout|watchdog|WatchdogSec|env_file|clean_env|"
	"nice|oom_score_adj|cpu_affinity|limit_*|Limit*|capabilities|no_new_privs|memory_max|MemoryMax|"
	"cpu_max|CPUQuota|tasks_max|TasksMax|log_max_size|log_backups|log_compress|"
	"std???_logfile_maxbytes|std???_logfile_backups|priority|schedule|listen|slots|lock";

static const struct job initial = {
	.def.instances = 1,
	.def.autostart = 1,
	.def.restart = RESTART_ON_FAILURE,
	.def.kill_mode = KILL_TREE,
	.def.log_timestamps = 1,
	.def.stop_signal = SIGTERM,
	.def.start_seconds = NSEC_PER_SEC,
	.def.restart_delay = NSEC_PER_SEC,
	.def.restart_delay_max = 30 * NSEC_PER_SEC,
	.def.stop_timeout = 10 * NSEC_PER_SEC,
	.def.success = {1},
	.umask = -1,
	.stdio = {PLAN_NULL, PLAN_PIPE, PLAN_PIPE},
};

static struct keys keys_of(struct conf *c, struct job *job)
{
	return (struct keys){c, rows, ARRAY_LEN(rows), later, job->set};
}

/* --- keys together ---------------------------------------------------------------------------------------------- */

/* Whose word counts: the job's own (2) before that of [defaults] (1). */
static int rank(const struct job *job, enum job_key key)
{
	return !job->set[key] ? 0 : job->set[key]->section == job->section ? 2 : 1;
}

/* supervisord's two booleans are one kill_mode; in one section it is these or ours. */
static void settle_kill_mode(struct conf *c, struct job *job)
{
	enum job_key key = rank(job, JOB_STOPASGROUP) >= rank(job, JOB_KILLASGROUP) ? JOB_STOPASGROUP : JOB_KILLASGROUP;
	if (!job->set[key] || rank(job, key) < rank(job, JOB_KILL_MODE))
		return;
	if (rank(job, key) == rank(job, JOB_KILL_MODE))
		conf_refuse(c, job->set[key], "kill_mode is set as well");
	job->def.kill_mode = job->stop_group || job->kill_group ? KILL_GROUP : KILL_PROCESS;
}

/* Where one of the delays is given, the other's default makes room for it. */
static void settle_delays(struct conf *c, struct job *job)
{
	struct jobtab_job *def = &job->def;
	if (def->restart_delay_max >= def->restart_delay)
		return;
	if (!job->set[JOB_RESTART_DELAY])
		def->restart_delay = def->restart_delay_max;
	else if (!job->set[JOB_RESTART_DELAY_MAX])
		def->restart_delay_max = def->restart_delay;
	else
		conf_refuse(c, job->set[JOB_RESTART_DELAY_MAX], "shorter than restart_delay");
}

/* Afterwards merge_stderr has the last word. */
static void settle_stderr(struct conf *c, struct job *job)
{
	if (job->merge_stderr && rank(job, JOB_STDERR) == rank(job, JOB_MERGE_STDERR))
		conf_refuse(c, job->set[JOB_MERGE_STDERR], "stderr is set as well");
	job->merge_stderr &= rank(job, JOB_STDERR) < rank(job, JOB_MERGE_STDERR);
	if (job->merge_stderr)
		job->log_file[1] = NULL;
}

/* --- users ------------------------------------------------------------------------------------------------------ */

/* Whether this configuration may name another user, and this daemon start processes as one. */
static bool may_switch(struct conf *c, const struct job_host *host, struct conf_entry *e)
{
	AUTO_BUF what = BUF_INIT;
	const struct conf_file *untrusted = conf_untrusted(c);
	if (untrusted)
		buf_printf(&what, "%s must belong to root and be writable by nobody else", untrusted->name);
	else if (!host->may_switch)
		buf_puts(&what, "mpd does not run as root and cannot start processes as another user");
	if (what.len)
		conf_refuse(c, e, buf_str(&what));
	return !what.len;
}

static int find_groups(struct conf *c, struct job *job, struct fault *f)
{
	job->ngids = job->groups.n;
	job->gids = conf_alloc(c, job->ngids * sizeof(*job->gids));
	for (size_t i = 0; i < job->ngids; i++) {
		int err = users_group(job->groups.v[i], &job->gids[i], f);
		if (err)
			return err;
	}
	return 0;
}

/* `groups` are all there are besides the first one; without it, the user's own. */
static void settle_groups(struct conf *c, struct job *job)
{
	struct fault fault;
	struct conf_entry *group = job->set[JOB_GROUP], *groups = job->set[JOB_GROUPS];
	job->gid = job->user.gid;
	if (group && !group->refused && users_group(span_of(job->group_name), &job->gid, &fault))
		conf_refuse(c, group, fault.message);
	if (groups && !groups->refused && find_groups(c, job, &fault))
		conf_refuse(c, groups, fault.message);
	if (!groups && users_groups(&c->arena, &job->user, job->gid, &job->gids, &job->ngids, &fault))
		conf_refuse(c, job->set[JOB_USER], fault.message);
}

static void settle_user(struct conf *c, const struct job_host *host, struct job *job)
{
	struct fault fault;
	struct conf_entry *user = job->set[JOB_USER];
	struct conf_entry *group = job->set[JOB_GROUP] ? job->set[JOB_GROUP] : job->set[JOB_GROUPS];
	users_self(&c->arena, &job->user);
	if (!user && group && job->section != &c->defaults)
		conf_refuse(c, group, "needs \"user\" as well");
	if (!user || user->refused)
		return;
	if (users_find(&c->arena, span_of(job->user_name), &job->user, &fault)) {
		conf_refuse(c, user, fault.message);
		return;
	}
	/* Who is not root and names himself, alone, asks for nothing. */
	if (job->user.uid == geteuid() && geteuid() != 0 && !group)
		return;
	job->creds = may_switch(c, host, user);
	if (job->creds)
		settle_groups(c, job);
}

/* --- the environment -------------------------------------------------------------------------------------------- */

/* Variables as "NAME=VALUE", each name once; the texts are in the arena. */
struct env {
	struct conf *conf;
	struct span v[ENV_MAX];
	size_t n;
	bool full;
};

/* The place of the variable, or the end. */
static size_t env_find(const struct env *env, struct span name)
{
	size_t i = 0;
	while (i < env->n && (strncmp(env->v[i].p, name.p, name.n) != 0 || env->v[i].p[name.n] != '='))
		i++;
	return i;
}

static void env_set(struct env *env, struct span name, struct span value)
{
	AUTO_BUF text = BUF_INIT;
	size_t i = env_find(env, name);
	env->full = i == ARRAY_LEN(env->v);
	if (env->full)
		return;
	buf_printf(&text, "%.*s=", (int)name.n, name.p);
	buf_span(&text, value);
	env->v[i] = conf_keep(env->conf, &text);
	env->n = MAX(env->n, i + 1);
}

static void env_begin(struct env *env, const struct job_host *host, const struct job *job)
{
	env_set(env, SPAN("PATH"), SPAN("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	env_set(env, SPAN("HOME"), span_of(job->user.home));
	env_set(env, SPAN("USER"), span_of(job->user.name));
	env_set(env, SPAN("LOGNAME"), span_of(job->user.name));
	env_set(env, SPAN("SHELL"), span_of(job->user.shell));
	if (host->socket)
		env_set(env, SPAN("MPCTL_SOCKET"), span_of(host->socket));
	env_set(env, SPAN("MPD_NAME"), span_of(job->name));
}

static int name_error(struct span name, struct fault *f)
{
	int shown = (int)MIN(name.n, 100);
	if (name.n >= 4 && !memcmp(name.p, "MPD_", 4))
		return fault_set(f, FAULT_PARAMS, "\"%.*s\": names that begin with MPD_ are mpd's own", shown, name.p);
	if (!words_is_name(name))
		return fault_set(f, FAULT_PARAMS, "\"%.*s\" cannot name a variable", shown, name.p);
	return 0;
}

/* A=1, B="two words" */
static int env_add_list(struct env *env, struct span text, const struct words_self *self, struct fault *f)
{
	struct key_value v = {.conf = env->conf, .text = text, .self = self};
	struct strings words = {NULL, 0};
	int err = split(&v, LIST_SEPARATORS, &words, f);
	for (size_t i = 0; !err && i < words.n; i++) {
		const char *eq = strchr(words.v[i].p, '=');
		if (!eq)
			return fault_set(f, FAULT_PARAMS, "\"%.100s\" is not NAME=VALUE", words.v[i].p);
		struct span name = {words.v[i].p, (size_t)(eq - words.v[i].p)};
		err = name_error(name, f);
		if (!err)
			env_set(env, name, span_of(eq + 1));
	}
	return err;
}

static int env_add(struct env *env, const struct conf_entry *e, const struct words_self *self, struct fault *f)
{
	static const struct span prefix = {"environment.", 12};
	AUTO_BUF value = BUF_INIT;
	if (e->key.n < prefix.n)
		return env_add_list(env, e->value, self, f);
	struct span name = {e->key.p + prefix.n, e->key.n - prefix.n};
	int err = name_error(name, f);
	if (!err)
		err = words_expand(e->value, self, &value, f);
	if (!err)
		env_set(env, name, conf_keep(env->conf, &value));
	return err;
}

static void env_add_section(struct env *env, const struct conf_section *s, const struct words_self *self)
{
	struct fault fault;
	struct conf_entry *e;
	LIST_EACH (e, &s->entries, node) {
		if (!span_is(e->key, "environment") && strncmp(e->key.p, "environment.", 12) != 0)
			continue;
		if (env_add(env, e, self, &fault))
			conf_refuse(env->conf, e, fault.message);
		if (env->full)
			conf_refuse(env->conf, e, "there are too many variables");
	}
}

static struct strings make_env(struct conf *c, const struct job_host *host, const struct job *job,
			       const struct words_self *self)
{
	struct env env = {.conf = c};
	env_begin(&env, host, job);
	env_add_section(&env, &c->defaults, self);
	if (job->section != &c->defaults)
		env_add_section(&env, job->section, self);
	struct strings all = {conf_alloc(c, env.n * sizeof(*all.v)), env.n};
	memcpy(all.v, env.v, env.n * sizeof(*all.v));
	return all;
}

/* --- the verbs -------------------------------------------------------------------------------------------------- */

void job_read(struct conf *c, const struct job_host *host, struct conf_section *section, struct job *ret)
{
	*ret = initial;
	ret->section = section;
	struct keys keys = keys_of(c, ret);
	struct words_self self = {section->title, 1};
	keys_collect(&keys, &c->defaults);
	if (section != &c->defaults)
		keys_collect(&keys, section);
	keys_read(&keys, ret, JOB_PROCESSES, JOB_COMMAND, false, NULL);
	keys_read(&keys, ret, JOB_COMMAND, JOB_KEYS, false, ret->def.instances == 1 ? &self : NULL);
	if (section != &c->defaults && !ret->set[JOB_COMMAND])
		conf_error(c, &section->at, "\"command\" is missing");
	settle_kill_mode(c, ret);
	settle_delays(c, ret);
	settle_stderr(c, ret);
	settle_user(c, host, ret);
}

void job_instance(struct conf *c, const struct job_host *host, const struct job *job, unsigned nth, struct job *ret)
{
	*ret = *job;
	if (job->def.instances == 1)
		snprintf(ret->name, sizeof(ret->name), "%s", job->section->title);
	else
		snprintf(ret->name, sizeof(ret->name), "%s.%u", job->section->title, nth);
	struct words_self self = {ret->name, nth};
	struct keys keys = keys_of(c, ret);
	keys_read(&keys, ret, 0, JOB_KEYS, true, &self);
	if (ret->merge_stderr)
		ret->stdio[STDERR_FILENO] = PLAN_STDOUT;
	ret->env = make_env(c, host, ret, &self);
}

void job_check_defaults(struct conf *c, const struct job_host *host)
{
	struct job job, instance;
	job_read(c, host, &c->defaults, &job);
	job_instance(c, host, &job, 1, &instance);
}
