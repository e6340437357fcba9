/* SPDX-License-Identifier: MIT */
/*
 * The engine as a whole: its start from the journal and the keeper's report, and the end of each turn.
 *
 * 1. No request is served before the keeper's whole table has been told.
 * 2. A turn ends in this order: pump, journal, link, replies. What was not journaled is not told to anybody.
 */
#include "daemon/engine/engine.h"
#include "common/log.h"
#include "daemon/engine/answers.h"
#include "daemon/engine/capture.h"
#include "daemon/engine/config_objects.h"
#include "daemon/engine/conn.h"
#include "daemon/engine/core/core.h"
#include "daemon/engine/diary.h"
#include "daemon/engine/events.h"
#include "daemon/engine/foreign.h"
#include "daemon/engine/journal.h"
#include "daemon/engine/keeperlink.h"
#include "daemon/engine/loop.h"
#include "daemon/engine/render.h"
#include "daemon/engine/watch.h"
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct engine engine;
static bool serving, down_told;
static volatile sig_atomic_t turns;
static const struct jobtab *table;

void engine_now(void) { core.now = loop_now(); }

/* --- what the core asks for ----------------------------------------------------------------------------------- */

static struct link_msg to_slot(enum link_type type, const struct proc *p)
{
	return (struct link_msg){.type = type, .id = p->i.id, .slot = p->slot};
}

static void do_spawn(const struct proc *p)
{
	struct link_msg msg = {.type = LINK_SPAWN, .id = p->i.id};
	msg.spawn.job = p->inst->job->index;
	msg.spawn.instance = p->inst->i.instance - 1;
	msg.spawn.generation = table->generation;
	link_send(&msg, NULL, 0);
}

static void do_signal(const struct proc *p, int signo, enum link_scope scope)
{
	struct link_msg msg = to_slot(LINK_SIGNAL, p);
	msg.signal.signo = signo;
	msg.signal.scope = scope;
	link_send_once(&msg);
}

static void do_kill_tree(const struct proc *p)
{
	struct link_msg msg = to_slot(LINK_KILL_TREE, p);
	link_send(&msg, NULL, 0);
}

static void do_release(const struct proc *p)
{
	struct link_msg msg = to_slot(LINK_RELEASE, p);
	link_send(&msg, NULL, 0);
}

static void do_event(const struct proc *p, const struct inst *t, const char *what)
{
	static struct buf members;
	enum topic topic = p ? TOPIC_PROCESS : TOPIC_JOB;
	if (!p)
		diary_state(t);
	if (!serving || !events_wanted(topic))
		return;
	buf_clear(&members, 4096);
	render_event(&members, p, t, what);
	const struct proc *whose = p ? p : t->proc;
	events_emit(topic, p ? what : "state", whose ? whose->i.uid : core.uid, buf_view(&members));
}

static void do_undone(struct channel *ch, uint64_t line) { rpc_undone(CONTAINER_OF(ch, struct conn, channel), line); }

static bool do_all_read(struct channel *ch) { return conn_all_read(CONTAINER_OF(ch, struct conn, channel)); }

static bool do_deserted(struct channel *ch) { return conn_deserted(CONTAINER_OF(ch, struct conn, channel)); }

static void do_fail(struct want *w, const struct fault *f) { req_fail(w->call, f); }

static const struct core_ops ops = {
	.spawn = do_spawn,
	.signal = do_signal,
	.kill_tree = do_kill_tree,
	.release = do_release,
	.drain = capture_drain,
	.forgotten = capture_forget,
	.event = do_event,
	.save = journal_add2,
	.watch = watch_owner,
	.unwatch = unwatch_owner,
	.undone = do_undone,
	.all_read = do_all_read,
	.deserted = do_deserted,
	.death = watch_death,
	.failed = do_fail,
	.tokens = tokens_reserve,
};

/* --- turns ---------------------------------------------------------------------------------------------------- */

static void save_all(void)
{
	core_save_all();
	answers_save(core.now);
	link_save();
}

/* Sent, it has arrived. */
static int give_journal(int fd) { return link_send_now(&(struct link_msg){.type = LINK_JOURNAL}, fd); }

/* Nothing that could not be journaled may be told: rather an engine that begins again where the journal ends. */
static void engine_commit(void)
{
	core_save();
	if (journal_bloated())
		journal_compact(save_all, give_journal);
	if (journal_commit() < 0) {
		log_error("journal: no memory; starting over from its last turn");
		_exit(1);
	}
}

static void engine_down(void)
{
	if (!engine.stopping || core.alive || down_told)
		return;
	down_told = true;
	shutdown_answer();
	link_send(&(struct link_msg){.type = LINK_SHUTDOWN}, NULL, 0);
}

/* While the keeper tells its table, all of it is one turn: a death in its middle changes nothing. */
static void turn_end(void)
{
	engine_now();
	capture_tick();
	turns++;
	if (!serving)
		return;
	wait_pump();
	engine_down();
	engine_commit();
	if (down_told) /* the last words go out before the keeper ends everything */
		conns_flush();
	link_flush();
	conns_flush();
	if (core_changed()) /* what the clients have read by now is theirs */
		engine_commit();
	loop_deadline(MIN(timers_next(&core.timers), conns_deadline()));
}

static void deadline_come(void)
{
	engine_now();
	timers_run(&core.timers, core.now);
	conns_tick(core.now);
	answers_tick(core.now);
}

void engine_shutdown(void)
{
	if (engine.stopping)
		return;
	engine.stopping = true;
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++)
			inst_stop(&core.jobs[j].insts[n], -1);
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		proc_stop(p, 0, -1, WHY_STOP);
	if (events_wanted(TOPIC_DAEMON))
		events_emit(TOPIC_DAEMON, "stopping", core.uid, SPAN(""));
}

/* --- what the keeper says ------------------------------------------------------------------------------------- */

static void serve(const struct link_msg *m)
{
	engine.engines = m->synced.engines;
	engine.slots = m->synced.slots;
	engine.cgroups = m->synced.cgroups;
	engine.keeper_pid = m->synced.keeper_pid;
	engine.keeper_start = m->synced.keeper_start;
	link_synced(m->synced.seq);
	core_synced();
	foreign_synced();
	if (core.next_obj == 1) /* what was removed since the daemon's start stays removed */
		config_objects_make(table);
	if (conns_init(ENGINE_LISTEN) < 0) {
		log_error("cannot serve the socket: %m");
		_exit(1);
	}
	serving = true;
	link_send(&(struct link_msg){.type = LINK_READY}, NULL, 0);
	log_info("serving %s: %zu processes, %zu jobs, engine %u of this keeper", engine.socket, core.alive, core.njobs,
		 engine.engines);
}

static struct proc *proc_of(const struct link_msg *m)
{
	struct proc *p = proc_by_id(m->id);
	if (p || m->type == LINK_TREE_EMPTY)
		return p;
	p = proc_adopt(m);
	if (p)
		log_warning("the journal has lost process %llu; taken over from the keeper", (unsigned long long)m->id);
	return p;
}

static void take_pipes(struct proc *p, const struct link_msg *m, int *fds)
{
	size_t n = 0;
	for (int stream = 0; stream < 2; stream++)
		if (m->started.has & (STARTED_HAS_STDOUT << stream))
			capture_add(p, stream, fd_take(&fds[n++]));
}

static void on_process(const struct link_msg *m, int *fds)
{
	struct proc *p = proc_of(m);
	if (!p)
		return;
	switch (m->type) {
	case LINK_STARTED:
		take_pipes(p, m, fds);
		proc_on_started(p, m);
		break;
	case LINK_FAILED:
		proc_on_failed(p, m);
		break;
	case LINK_EXITED:
		proc_on_exited(p, m);
		break;
	default:
		proc_on_empty(p);
	}
}

static void on_message(const struct link_msg *m, int *fds, size_t nfds)
{
	engine_now();
	switch (m->type) {
	case LINK_STARTED:
	case LINK_FAILED:
	case LINK_EXITED:
	case LINK_TREE_EMPTY:
		on_process(m, fds);
		break;
	case LINK_SYNCED:
		serve(m);
		break;
	case LINK_STOP:
		engine_shutdown();
		break;
	case LINK_STRAYS:
		engine.strays = m->strays.count;
		break;
	default:
		log_error("BUG: the keeper says %u", m->type);
	}
	for (size_t i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void on_keeper_gone(void)
{
	if (!down_told)
		log_warning("the keeper is gone");
	_exit(0);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static int on_record(enum journal_type type, struct span body, void *arg)
{
	(void)arg;
	if (type == JOURNAL_ANSWER)
		return answers_load(body, core.now);
	if (type == JOURNAL_OUT)
		return link_load(body);
	return core_load(type, body);
}

static const struct jobtab *map_table(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(struct jobtab))
		return NULL;
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* An endless loop of ours: the timer counts our CPU time only, so nothing ticks when nothing runs. */
static void on_cpu_time(int signo)
{
	static sig_atomic_t before;
	static int same;
	(void)signo;
	same = turns == before ? same + 1 : 0;
	before = turns;
	if (same >= 3)
		abort();
}

static void watch_own_loop(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM};
	struct itimerspec every = {{1, 0}, {1, 0}};
	struct sigaction action = {.sa_handler = on_cpu_time, .sa_flags = SA_RESTART};
	timer_t timer;
	sigaction(SIGVTALRM, &action, NULL);
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0)
		timer_settime(timer, 0, &every, NULL);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"state", required_argument, NULL, 'd'},
						{"config", required_argument, NULL, 'c'},
						{"log-level", required_argument, NULL, 'l'},
						{"keeper-start", required_argument, NULL, 'k'},
						{"engines", required_argument, NULL, 'n'},
						{NULL, 0, NULL, 0}};
	enum log_level level = LOG_INFO;
	engine.socket = engine.state_dir = engine.config = "";
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 's')
			engine.socket = optarg;
		else if (c == 'd')
			engine.state_dir = optarg;
		else if (c == 'c')
			engine.config = optarg;
		else if (c == 'l')
			level = (enum log_level)atoi(optarg);
		else if (c == 'n')
			engine.engines = (uint32_t)atoi(optarg);
		else if (c == '?')
			exit(2);
	}
	log_init("mpd-engine", level);
}

static int start(void)
{
	static char *log_dir;
	if (!(table = map_table(ENGINE_JOBTAB)) || loop_init() < 0 ||
	    asprintf(&log_dir, "%s/log", engine.state_dir) < 0)
		return -1;
	engine.uid = geteuid();
	engine.user = (const char *)table + table->user;
	engine.home = (const char *)table + table->home;
	engine.shell = (const char *)table + table->shell;
	core_init(&ops, sys_now());
	core.uid = engine.uid;
	core.gid = getegid();
	core.log_dir = log_dir;
	core.random ^= (uint64_t)core.now;
	core.wall = sys_clock(CLOCK_REALTIME) - core.now;
	if (tokens_read(engine.state_dir, &core.token_ceiling) < 0)
		return -1;
	if (core_jobs(table) < 0 || capture_init(ENGINE_SCRATCH, engine.state_dir, engine.engines <= 1) < 0 ||
	    journal_open(ENGINE_JOURNAL, on_record, NULL) < 0)
		return -1;
	link_init(ENGINE_LINK, on_message, on_keeper_gone);
	loop_hooks(deadline_come, turn_end);
	return 0;
}

int engine_main(int argc, char **argv)
{
	struct rlimit files;
	parse_options(argc, argv);
	umask(0077);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (start() < 0) {
		log_error("cannot start: %m");
		return 1;
	}
	watch_own_loop();
	loop_run();
	return 0;
}
