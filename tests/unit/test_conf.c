/* SPDX-License-Identifier: MIT */
/* daemon/loader: references and quotes; what a configuration becomes in the job table. Its errors: test_config.py. */
#include "common/api.h"
#include "common/log.h"
#include "daemon/loader/table.h"
#include "daemon/loader/words.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

/* --- words ------------------------------------------------------------------------------------------------------ */

static const struct words_self web2 = {"web.2", 2};

/* "!" and the fault, or the text. */
static void expands(const char *text, const struct words_self *self, const char *expected)
{
	AUTO_BUF out = BUF_INIT;
	struct fault f;
	if (words_expand(span_of(text), self, &out, &f)) {
		buf_done(&out);
		buf_printf(&out, "!%s", f.message);
	}
	assert_string_equal(buf_str(&out), expected);
}

/* The words, each in brackets. */
static void splits(const char *text, const char *separators, const char *expected)
{
	AUTO_BUF out = BUF_INIT, shown = BUF_INIT;
	struct fault f;
	size_t count = 0;
	if (words_split(span_of(text), separators, &web2, &out, &count, &f))
		buf_printf(&shown, "!%s", f.message);
	for (const char *p = out.p; count > 0; count--, p += strlen(p) + 1)
		buf_printf(&shown, "[%s]", p);
	assert_string_equal(buf_str(&shown), expected);
}

static void references(void **state)
{
	(void)state;
	setenv("CONF_SET", "a ${b} \"c", 1);
	setenv("CONF_EMPTY", "", 1);
	unsetenv("CONF_NONE");
	expands("", NULL, "");
	expands("a${CONF_SET}b", NULL, "aa ${b} \"cb");
	expands("${CONF_EMPTY}${CONF_EMPTY:-x}${CONF_NONE:-y z}${CONF_NONE:-}", NULL, "xy z");
	expands("$$ $$$$ $x $ ${CONF_SET:-x}$", NULL, "$ $$ $x $ a ${b} \"c$");
	expands("$${CONF_SET}", NULL, "${CONF_SET}");
	expands("${mpd.name} ${mpd.num}", &web2, "web.2 2");
	expands("${mpd.num:-none}", NULL, "none");
	expands("${CONF_NONE}", NULL, "!the variable \"CONF_NONE\" is not set (\"${CONF_NONE:-...}\" gives a default)");
	expands("${mpd.num}", NULL, "!\"${mpd.num}\" has no meaning where one value serves all instances");
	expands("${a b}", NULL, "!\"${a b}\" names no variable (\"$$\" is a dollar sign)");
	expands("${}", NULL, "!\"${}\" names no variable (\"$$\" is a dollar sign)");
	expands("${x", NULL, "!\"${\" without \"}\" (\"$$\" is a dollar sign)");
}

static void quotes(void **state)
{
	(void)state;
	setenv("CONF_SET", "a 'b", 1);
	splits("", " ", "");
	splits("  a  bc\td ", " \t", "[a][bc][d]");
	splits("a'b c'd \"e f\"'g' ''", " ", "[ab cd][e fg][]");
	splits("a\\ b \\'c\\\\ 'd\\e' \"\\f\\\"\\\\\"", " ", "[a b]['c\\][d\\e][\\f\"\\]");
	splits("x=${CONF_SET} '${mpd.num}' \\${x} \"\\$y\"", " ", "[x=a 'b][2][${x}][$y]");
	splits("${CONF_NONE:-two words}${CONF_EMPTY:-}", " ", "[two words]");
	splits("A=\"x, y\",B='z' , C=1,", " \t,", "[A=x, y][B=z][C=1]");
	splits("a 'b", " ", "!the quote ' is not closed");
	splits("a \"b'", " ", "!the quote \" is not closed");
	splits("a \\", " ", "!there is nothing behind the backslash at the end");
}

/* --- the table -------------------------------------------------------------------------------------------------- */

struct made {
	struct conf conf;
	struct buf table;
	char dir[32], report[4096];
};

static void put_file(const struct made *m, const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void begin(struct made *m)
{
	*m = (struct made){.table = BUF_INIT};
	strcpy(m->dir, "/tmp/test_conf.XXXXXX");
	assert_non_null(mkdtemp(m->dir));
}

static void make(struct made *m, const char *text)
{
	char path[128];
	const struct job_host host = {"/run/x.sock", true};
	AUTO_FD fd = memfd_create("report", MFD_CLOEXEC);
	put_file(m, "mpd.conf", text);
	snprintf(path, sizeof(path), "%s/mpd.conf", m->dir);
	conf_init(&m->conf);
	conf_read(&m->conf, path, false);
	table_make(&m->conf, &host, 7, &m->table);
	conf_report(&m->conf, fd, false);
	assert_true(pread(fd, m->report, sizeof(m->report) - 1, 0) >= 0);
}

static void made_good(struct made *m, const char *text)
{
	begin(m);
	make(m, text);
	assert_string_equal(m->report, "");
	assert_false(m->table.failed);
}

static void end(struct made *m)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -r %s", m->dir);
	assert_int_equal(system(command), 0);
	conf_done(&m->conf);
	buf_done(&m->table);
}

static const struct jobtab *head(const struct made *m) { return (const struct jobtab *)(void *)m->table.p; }
static const char *text_at(const struct made *m, uint32_t offset) { return offset ? m->table.p + offset : NULL; }

static const struct jobtab_job *job_at(const struct made *m, size_t i)
{
	assert_true(i < head(m)->njobs && head(m)->jobs % 8 == 0);
	return (const struct jobtab_job *)(void *)(m->table.p + head(m)->jobs) + i;
}

/* The plan of the NTH instance, from 0, which passes the keeper's check. */
static const struct plan *plan_at(const struct made *m, size_t job, size_t nth)
{
	const struct jobtab_job *j = job_at(m, job);
	assert_true(nth < j->instances && j->plans % 4 == 0);
	uint32_t offset = ((const uint32_t *)(void *)(m->table.p + j->plans))[nth];
	const struct plan *plan = (const struct plan *)(void *)(m->table.p + offset);
	assert_int_equal(offset % 8, 0);
	assert_true(plan->size <= m->table.len - offset);
	assert_int_equal(plan_check(plan, plan->size), 0);
	return plan;
}

static const char *plan_text(const struct plan *p, uint32_t offset) { return offset ? (const char *)p + offset : NULL; }

static const char *string_of(const struct plan *p, uint32_t array, size_t i)
{
	return plan_text(p, ((const uint32_t *)(const void *)((const char *)p + array))[i]);
}

static void has_argv(const struct plan *p, const char *expected)
{
	AUTO_BUF shown = BUF_INIT;
	for (size_t i = 0; i < p->argc; i++)
		buf_printf(&shown, "[%s]", string_of(p, p->argv, i));
	assert_string_equal(buf_str(&shown), expected);
}

static const char *env_of(const struct plan *p, const char *name)
{
	const char *found = NULL;
	for (size_t i = 0, n = strlen(name); i < p->envc; i++) {
		const char *var = string_of(p, p->envp, i);
		if (!strncmp(var, name, n) && var[n] == '=') {
			assert_null(found);
			found = var + n + 1;
		}
	}
	return found;
}

static void empty(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "");
	assert_int_equal(head(&m)->magic, JOBTAB_MAGIC);
	assert_int_equal(head(&m)->size, m.table.len);
	assert_int_equal(head(&m)->generation, 7);
	assert_int_equal(head(&m)->njobs, 0);
	assert_int_equal(head(&m)->log_level, -1);
	assert_int_equal(head(&m)->keep, 3600 * NSEC_PER_SEC);
	assert_int_equal(head(&m)->nfiles, 1);
	assert_int_equal(head(&m)->trusted, geteuid() == 0);
	end(&m);
}

static void settings(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[mpd]\nlog = stderr\nlog_level = debug\nkeep = 2m\nmax_processes = 99\n"
		      "daemonic_children = allow\ncgroup = /sys/fs/cgroup/x\n");
	assert_int_equal(head(&m)->log_level, LOG_DEBUG);
	assert_int_equal(head(&m)->keep, 120 * NSEC_PER_SEC);
	assert_int_equal(head(&m)->max_processes, 99);
	assert_int_equal(head(&m)->daemonic_children_allowed, 1);
	assert_string_equal(text_at(&m, head(&m)->cgroup), "/sys/fs/cgroup/x");
	end(&m);
}

static void defaults_of_a_job(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "\n[job:web]\ncommand = sleep 10\n");
	const struct jobtab_job *j = job_at(&m, 0);
	const struct plan *p = plan_at(&m, 0, 0);
	assert_string_equal(text_at(&m, j->name), "web");
	assert_string_equal(strrchr(text_at(&m, j->where), '/'), "/mpd.conf:2");
	assert_int_equal(j->instances, 1);
	assert_int_equal(j->autostart, 1);
	assert_int_equal(j->restart, RESTART_ON_FAILURE);
	assert_int_equal(j->kill_mode, KILL_TREE);
	assert_int_equal(j->stop_signal, SIGTERM);
	assert_int_equal(j->restart_limit, 0);
	assert_int_equal(j->start_seconds, NSEC_PER_SEC);
	assert_int_equal(j->restart_delay, NSEC_PER_SEC);
	assert_int_equal(j->restart_delay_max, 30 * NSEC_PER_SEC);
	assert_int_equal(j->stop_timeout, 10 * NSEC_PER_SEC);
	assert_int_equal(j->success[0], 1);
	assert_int_equal(j->success_signals, 0);
	assert_null(text_at(&m, j->log_file[0]));
	assert_null(text_at(&m, j->log_file[1]));
	has_argv(p, "[sleep][10]");
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->umask, -1);
	assert_null(plan_text(p, p->cwd));
	assert_int_equal(p->stdio[0], PLAN_NULL);
	assert_int_equal(p->stdio[1], PLAN_PIPE);
	assert_int_equal(p->stdio[2], PLAN_PIPE);
	end(&m);
}

static void clean_environment(void **state)
{
	(void)state;
	struct made m;
	setenv("CONF_STRANGER", "1", 1);
	made_good(&m, "[defaults]\nenvironment.A = 1\nenvironment.B = 2\n[job:web]\ncommand = x\nprocesses = 2\n"
		      "environment = B=\"two words\",C='${mpd.num}'\nenvironment.SHELL = /bin/false\n");
	const struct plan *p = plan_at(&m, 0, 1);
	assert_string_equal(env_of(p, "PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_non_null(env_of(p, "HOME"));
	assert_non_null(env_of(p, "USER"));
	assert_string_equal(env_of(p, "LOGNAME"), env_of(p, "USER"));
	assert_string_equal(env_of(p, "SHELL"), "/bin/false");
	assert_string_equal(env_of(p, "MPCTL_SOCKET"), "/run/x.sock");
	assert_string_equal(env_of(p, "MPD_NAME"), "web.2");
	assert_string_equal(env_of(p, "A"), "1");
	assert_string_equal(env_of(p, "B"), "two words");
	assert_string_equal(env_of(p, "C"), "2");
	assert_int_equal(p->envc, 10);
	end(&m);
}

static void instances(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[job:a]\nprocesses = 3\ncommand = echo '${mpd.name}' ${mpd.num}\ndirectory = /${mpd.num}\n"
		      "stdout = file:/x.${mpd.name}\n[job:b]\ncommand = echo ${mpd.name} ${mpd.num}\n");
	has_argv(plan_at(&m, 0, 0), "[echo][a.1][1]");
	has_argv(plan_at(&m, 0, 2), "[echo][a.3][3]");
	has_argv(plan_at(&m, 1, 0), "[echo][b][1]");
	const struct plan *p = plan_at(&m, 0, 1);
	assert_string_equal(plan_text(p, p->cwd), "/2");
	assert_int_equal(p->stdio[1], PLAN_FILE);
	assert_string_equal(plan_text(p, p->path[1]), "/x.a.2");
	assert_null(plan_text(p, p->path[0]));
	assert_string_equal(env_of(p, "MPD_NAME"), "a.2");
	end(&m);
}

static void every_key(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[job:web]\ncommand = echo \"$$HOME\" | cat\nshell = yes\nautostart = off\nrestart = unexpected\n"
		      "success_codes = 0, 3 255,TERM SIGUSR1\nstart_seconds = 500ms\nrestart_delay = 2s\n"
		      "restart_delay_max = 1m\nrestart_limit = 4\nstop_signal = RTMIN+1\nstop_timeout = 3\n"
		      "kill_mode = process\numask = 027\nstdin = file:/etc/passwd\nstdout = inherit\nstderr = null\n"
		      "log_file = /x/y\nlog_timestamps = false\ndescription = a  b\ncontext = spawn\nx-mine = ${z\n");
	const struct jobtab_job *j = job_at(&m, 0);
	const struct plan *p = plan_at(&m, 0, 0);
	has_argv(p, "[/bin/sh][-c][echo \"$HOME\" | cat]");
	assert_int_equal(p->flags, PLAN_SHELL);
	assert_int_equal(j->autostart, 0);
	assert_int_equal(j->restart, RESTART_UNEXPECTED);
	assert_int_equal(j->success[0], 1 | 1 << 3);
	assert_int_equal(j->success[31], 0x80);
	assert_int_equal(j->success_signals, UINT64_C(1) << SIGTERM | UINT64_C(1) << SIGUSR1);
	assert_int_equal(j->start_seconds, 500 * NSEC_PER_MS);
	assert_int_equal(j->restart_delay, 2 * NSEC_PER_SEC);
	assert_int_equal(j->restart_delay_max, 60 * NSEC_PER_SEC);
	assert_int_equal(j->restart_limit, 4);
	assert_int_equal(j->stop_signal, SIGRTMIN + 1);
	assert_int_equal(j->stop_timeout, 3 * NSEC_PER_SEC);
	assert_int_equal(j->kill_mode, KILL_PROCESS);
	assert_int_equal(p->umask, 027);
	assert_int_equal(p->stdio[0], PLAN_FILE);
	assert_string_equal(plan_text(p, p->path[0]), "/etc/passwd");
	assert_int_equal(p->stdio[1], PLAN_INHERIT);
	assert_int_equal(p->stdio[2], PLAN_NULL);
	assert_string_equal(text_at(&m, j->log_file[0]), "/x/y");
	assert_int_equal(j->log_timestamps, 0);
	assert_string_equal(text_at(&m, j->description), "a  b");
	end(&m);
}

static void supervisords_names(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[job:web]\ncommand = x\nnumprocs = 2\nautorestart = true\nexitcodes = 2\nstartsecs = 5\n"
		      "startretries = 3\nstopsignal = INT\nstopwaitsecs = 7\nstopasgroup = true\nkillasgroup = true\n"
		      "stdout_logfile = /var/log/x\nredirect_stderr = true\n");
	const struct jobtab_job *j = job_at(&m, 0);
	assert_int_equal(j->instances, 2);
	assert_int_equal(j->restart, RESTART_ALWAYS);
	assert_int_equal(j->success[0], 4);
	assert_int_equal(j->start_seconds, 5 * NSEC_PER_SEC);
	assert_int_equal(j->restart_limit, 3);
	assert_int_equal(j->stop_signal, SIGINT);
	assert_int_equal(j->stop_timeout, 7 * NSEC_PER_SEC);
	assert_int_equal(j->kill_mode, KILL_GROUP);
	assert_string_equal(text_at(&m, j->log_file[0]), "/var/log/x");
	assert_int_equal(plan_at(&m, 0, 1)->stdio[1], PLAN_PIPE);
	assert_int_equal(plan_at(&m, 0, 1)->stdio[2], PLAN_STDOUT);
	end(&m);
}

static void systemds_names(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[job:web]\nExecStart = /bin/x \"a b\"\nRestart = always\nSuccessExitStatus = 2 SIGKILL\n"
		      "RestartSec = 100ms\nKillSignal = SIGQUIT\nKillMode = process\nDescription = d\n");
	const struct jobtab_job *j = job_at(&m, 0);
	has_argv(plan_at(&m, 0, 0), "[/bin/x][a b]");
	assert_int_equal(j->restart, RESTART_ALWAYS);
	assert_int_equal(j->success[0], 1 | 4);
	assert_int_equal(j->success_signals, UINT64_C(1) << SIGKILL);
	assert_int_equal(j->restart_delay, 100 * NSEC_PER_MS);
	assert_int_equal(j->stop_signal, SIGQUIT);
	assert_int_equal(j->kill_mode, KILL_PROCESS);
	assert_string_equal(text_at(&m, j->description), "d");
	end(&m);
}

static void defaults_and_jobs(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[job:a]\ncommand = x\n[defaults]\nrestart = always\nkillasgroup = true\nmerge_stderr = true\n"
		      "restart_delay_max = 100ms\n[job:b]\ncommand = y\nautorestart = false\nkill_mode = tree\n"
		      "stderr = null\nrestart_delay = 50ms\n");
	assert_int_equal(job_at(&m, 0)->restart, RESTART_ALWAYS);
	assert_int_equal(job_at(&m, 0)->kill_mode, KILL_GROUP);
	assert_int_equal(job_at(&m, 0)->restart_delay, 100 * NSEC_PER_MS);
	assert_int_equal(plan_at(&m, 0, 0)->stdio[2], PLAN_STDOUT);
	assert_int_equal(job_at(&m, 1)->restart, RESTART_NO);
	assert_int_equal(job_at(&m, 1)->kill_mode, KILL_TREE);
	assert_int_equal(job_at(&m, 1)->restart_delay, 50 * NSEC_PER_MS);
	assert_int_equal(plan_at(&m, 1, 0)->stdio[2], PLAN_NULL);
	end(&m);
}

static void other_users(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct made m;
	made_good(&m, "[job:a]\ncommand = x\nuser = daemon\ngroups = root, 1\n[job:b]\ncommand = y\nuser = 1\n"
		      "group = 0\ngroups =\n[job:c]\ncommand = z\nuser = root\n[job:d]\ncommand = z\n");
	const struct plan *a = plan_at(&m, 0, 0), *b = plan_at(&m, 1, 0), *c = plan_at(&m, 2, 0);
	const uint32_t *groups = (const uint32_t *)(const void *)((const char *)a + a->groups);
	assert_int_equal(a->flags, PLAN_CREDS);
	assert_int_equal(a->uid, 1);
	assert_int_equal(a->gid, 1);
	assert_int_equal(a->ngroups, 2);
	assert_int_equal(groups[0], 0);
	assert_int_equal(groups[1], 1);
	assert_string_equal(env_of(a, "USER"), "daemon");
	assert_int_equal(b->flags, PLAN_CREDS);
	assert_int_equal(b->uid, 1);
	assert_int_equal(b->gid, 0);
	assert_int_equal(b->ngroups, 0);
	assert_int_equal(c->flags, PLAN_CREDS);
	assert_int_equal(c->uid, 0);
	assert_true(c->ngroups >= 1);
	assert_int_equal(plan_at(&m, 3, 0)->flags, 0);
	end(&m);
}

static void whom_to_trust(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	static const mode_t modes[] = {0644, 0664, 0646};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct made m;
		char path[128];
		begin(&m);
		put_file(&m, "web.conf", "[job:web]\ncommand = x\n");
		snprintf(path, sizeof(path), "%s/web.conf", m.dir);
		assert_int_equal(chmod(path, modes[i]), 0);
		make(&m, "[mpd]\ninclude = web.conf\n");
		assert_int_equal(head(&m)->trusted, modes[i] == 0644);
		assert_int_equal(head(&m)->nfiles, 2);
		end(&m);
	}
}

static void includes(void **state)
{
	(void)state;
	struct made m;
	begin(&m);
	put_file(&m, "b.conf", "[job:b]\ncommand = x\n");
	put_file(&m, "a.conf", "[mpd]\nkeep = 5s\ninclude = c.inc\n[job:a]\ncommand = x\n");
	put_file(&m, "c.inc", "[job:c]\ncommand = x\n[defaults]\nrestart = no\n");
	make(&m, "[mpd]\ninclude = *.con[f-g] nothing.* \nlog_level = error\n");
	/* The pattern finds the file that holds it, too. */
	assert_non_null(strstr(m.report, "mpd.conf:2: [mpd] include: "));
	assert_non_null(strstr(m.report, "/mpd.conf: was read before\n"));
	assert_int_equal(m.conf.errors, 1);
	conf_done(&m.conf);
	buf_done(&m.table);
	make(&m, "[mpd]\ninclude = [ab].* nothing.* \nlog_level = error\n");
	assert_int_equal(m.conf.errors, 0);
	assert_int_equal(head(&m)->njobs, 3);
	assert_string_equal(text_at(&m, job_at(&m, 0)->name), "a");
	assert_string_equal(text_at(&m, job_at(&m, 1)->name), "c");
	assert_string_equal(text_at(&m, job_at(&m, 2)->name), "b");
	assert_int_equal(job_at(&m, 2)->restart, RESTART_NO);
	assert_int_equal(head(&m)->keep, 5 * NSEC_PER_SEC);
	assert_int_equal(head(&m)->log_level, LOG_ERROR);
	end(&m);
}

/* --- objects ---------------------------------------------------------------------------------------------------- */

static const struct jobtab_object *object_at(const struct made *m, size_t i)
{
	assert_true(i < head(m)->nobjects && head(m)->objects % 8 == 0);
	return (const struct jobtab_object *)(void *)(m->table.p + head(m)->objects) + i;
}

/* The NTH object is made by METHOD and PARAMS, which a request might have. */
static void is_made_by(const struct made *m, size_t nth, const char *method, const char *params)
{
	const struct jobtab_object *o = object_at(m, nth);
	const struct api_cmd *cmd = api_find(span_of(text_at(m, o->method)));
	struct arena arena = {0};
	struct fault fault;
	assert_string_equal(text_at(m, o->method), method);
	assert_string_equal(text_at(m, o->params), params);
	AUTO_FREE void *args = malloc(cmd->size);
	assert_int_equal(api_decode(cmd, span_of(params), &arena, args, &fault), 0);
	arena_done(&arena);
}

/* Makes `[KIND:x] LINES`, which becomes KIND.create {"name": "/x", "exist_ok": true, MEMBERS}. */
static void object_is(const char *kind, const char *lines, const char *members)
{
	AUTO_BUF text = BUF_INIT, method = BUF_INIT, params = BUF_INIT;
	struct made m;
	buf_printf(&text, "[%s:x]\ngroup = 0\nmode = 7\n%s", kind, lines);
	buf_printf(&method, "%s.create", kind);
	buf_printf(&params, "{\"name\":\"/x\",\"exist_ok\":true%s,\"mode\":\"007\",\"group\":0}", members);
	made_good(&m, buf_str(&text));
	assert_int_equal(head(&m)->nobjects, 1);
	is_made_by(&m, 0, buf_str(&method), buf_str(&params));
	end(&m);
}

static void an_object(void **state)
{
	(void)state;
	struct made m;
	char own[64] = "";
	made_good(&m, "\n[lock:A-z_0.9]\n");
	if (head(&m)->socket_gid != UINT32_MAX)
		snprintf(own, sizeof(own), ",\"group\":%u", head(&m)->socket_gid);
	AUTO_BUF params = BUF_INIT;
	buf_printf(&params, "{\"name\":\"/A-z_0.9\",\"exist_ok\":true,\"mode\":\"770\"%s}", own);
	is_made_by(&m, 0, "lock.create", buf_str(&params));
	assert_string_equal(strrchr(text_at(&m, object_at(&m, 0)->where), '/'), "/mpd.conf:2");
	assert_int_equal(head(&m)->njobs, 0);
	end(&m);
}

static void values_of_objects(void **state)
{
	(void)state;
	setenv("CONF_SET", "seven", 1);
	object_is("lock", "any_owner = on\nrobust = strict\nx-mine = ${z\n",
		  ",\"robust\":\"strict\",\"any_owner\":true");
	object_is("rlock", "owner_death = keep\n", ",\"owner_death\":\"keep\"");
	object_is("event", "ephemeral = 0\n", ",\"ephemeral\":false");
	object_is("barrier", "timeout = 1m\nparties = 2\n", ",\"parties\":2,\"timeout\":60.000000000");
	object_is("queue", "ttr = 1500ms\nmax_bytes = 1.5M\nmaxsize = 9007199254740991\n",
		  ",\"maxsize\":9007199254740991,\"max_bytes\":1572864,\"ttr\":1.500000000");
	object_is("queue", "dead_letter = y\nmax_bytes = 7\n", ",\"max_bytes\":7,\"dead_letter\":\"/y\"");
	object_is("value", "value = 18446744073709551616.50\n", ",\"value\":18446744073709551616.50");
	object_is("value", "value = ${CONF_SET} $${x}\n", ",\"value\":\"seven ${x}\"");
	object_is("value", "value = { \"a\" : [null] }\n", ",\"value\":{ \"a\" : [null] }");
	object_is("value", "value = \"5\"\n", ",\"value\":\"5\"");
	object_is("value", "value =\n", ",\"value\":\"\"");
	object_is("value", "value = a\xff\n", ",\"value\":{\"b64\":\"Yf8=\"}");
	object_is("list", "values = [1, \"x\"]\n", ",\"values\":[1, \"x\"]");
	object_is("namespace", "items = {\"k\": 1}\n", ",\"items\":{\"k\": 1}");
}

static void conditions_come_behind_their_locks(void **state)
{
	(void)state;
	struct made m;
	made_good(&m, "[condition:c]\nlock = r\nmode = 0\ngroup = 0\n[condition:d]\nlock = /r\nmode = 0700\ngroup = 0\n"
		      "[rlock:r]\nmode = 000\ngroup = 0\n[job:r]\ncommand = x\n");
	is_made_by(&m, 0, "rlock.create", "{\"name\":\"/r\",\"exist_ok\":true,\"mode\":\"000\",\"group\":0}");
	is_made_by(&m, 1, "condition.create",
		   "{\"name\":\"/c\",\"exist_ok\":true,\"lock\":\"/r\",\"mode\":\"000\",\"group\":0}");
	is_made_by(&m, 2, "condition.create",
		   "{\"name\":\"/d\",\"exist_ok\":true,\"lock\":\"/r\",\"mode\":\"700\",\"group\":0}");
	assert_int_equal(head(&m)->njobs, 1);
	end(&m);
}

/* What ends in .create in the registry can be made by a section. */
static void every_kind_has_a_section(void **state)
{
	(void)state;
	size_t kinds = 0;
	for (size_t id = 0; id < CMD_COUNT; id++) {
		const char *name = api_cmd((enum api_id)id)->name, *dot = strchr(name, '.');
		if (!dot || strcmp(dot, ".create"))
			continue;
		AUTO_BUF text = BUF_INIT;
		struct made m;
		buf_printf(&text, "[%.*s:x]\n", (int)(dot - name), name);
		begin(&m);
		make(&m, buf_str(&text));
		assert_null(strstr(m.report, "section"));
		assert_null(strstr(m.report, "supported"));
		end(&m);
		kinds++;
	}
	assert_true(kinds >= 13);
}

static void large(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT;
	struct made m;
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "[job:j%d]\ncommand = run ${mpd.name}\nprocesses = 10\n", i);
	made_good(&m, buf_str(&text));
	assert_int_equal(head(&m)->njobs, 300);
	has_argv(plan_at(&m, 299, 9), "[run][j299.10]");
	end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(quotes),
		cmocka_unit_test(empty),
		cmocka_unit_test(settings),
		cmocka_unit_test(defaults_of_a_job),
		cmocka_unit_test(clean_environment),
		cmocka_unit_test(instances),
		cmocka_unit_test(every_key),
		cmocka_unit_test(supervisords_names),
		cmocka_unit_test(systemds_names),
		cmocka_unit_test(defaults_and_jobs),
		cmocka_unit_test(other_users),
		cmocka_unit_test(whom_to_trust),
		cmocka_unit_test(includes),
		cmocka_unit_test(an_object),
		cmocka_unit_test(values_of_objects),
		cmocka_unit_test(conditions_come_behind_their_locks),
		cmocka_unit_test(every_kind_has_a_section),
		cmocka_unit_test(large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
