/* SPDX-License-Identifier: MIT */
/*
 * The engine's life: it is started with the descriptors that outlive it, started again at once when it dies, watched
 * while it has something of ours to read.
 *
 * 1. What it sent before it died is done before the next one starts.
 * 2. Only deaths before READY, or soon after it, count: they delay the next start, and ten in a row are safe mode, in
 *    which every connection is told why. Processes are kept through all of it.
 * 3. Nothing ticks while the engine owes us nothing.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { DEATHS_MAX = 10 };

static const nsec_t healthy_after = NSEC_PER_SEC;
static const nsec_t watch_every = NSEC_PER_SEC / 2;
static const nsec_t hung_after = 2 * NSEC_PER_SEC, hung_at_start = 10 * NSEC_PER_SEC;
static const nsec_t safe_mode_retry = 60 * NSEC_PER_SEC;

struct engine engine = {.pidfd = -1, .link = -1};

static int journal, scratch;
static const struct link_page *page;
static unsigned deaths; /* that count */
static struct {
	uint64_t tick;
	nsec_t since; /* when it was first seen at `tick` */
} watch;

int engine_init(void)
{
	void *p;
	journal = memfd_create("mpd-journal", MFD_CLOEXEC);
	scratch = memfd_create("mpd-scratch", MFD_CLOEXEC);
	if (journal < 0 || scratch < 0 || ftruncate(scratch, SCRATCH_HEAD) < 0)
		return -1;
	p = mmap(NULL, SCRATCH_HEAD, PROT_READ, MAP_SHARED, scratch, 0);
	if (p == MAP_FAILED)
		return -1;
	page = p;
	return 0;
}

void engine_journal(int fd)
{
	close(journal);
	journal = fd;
}

/* --- start ---------------------------------------------------------------------------------------------------- */

struct start {
	char **argv;
	int fds[ENGINE_FDS - ENGINE_LINK];
};

/* In the child, where nothing of ours may be changed: fds are moved up first, for one may lie where another belongs. */
static void engine_exec(void *arg)
{
	const struct start *s = arg;
	int high[ENGINE_FDS - ENGINE_LINK];
	sigset_t none;
	sigemptyset(&none);
	if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		clone_fail(STEP_SESSION);
	if (keeper.log >= 0 && (dup2(keeper.null, 0) < 0 || dup2(keeper.null, 1) < 0 || dup2(keeper.log, 2) < 0))
		clone_fail(STEP_FDS);
	for (size_t i = 0; i < ARRAY_LEN(high); i++)
		high[i] = fcntl(s->fds[i], F_DUPFD, ENGINE_FDS);
	for (size_t i = 0; i < ARRAY_LEN(high); i++)
		if (dup2(high[i], ENGINE_LINK + (int)i) < 0)
			clone_fail(STEP_FDS);
	clone_close_from(ENGINE_FDS);
	execv(keeper.engine_path, s->argv);
	clone_fail(STEP_EXEC);
}

static pid_t engine_clone(int link)
{
	char start[24], count[12], level[12];
	/* clang-format off */
	char *argv[] = {
		"mpd-engine", "--socket", (char *)keeper.socket, "--state", (char *)keeper.state_dir,
		"--config", keeper.config_path ? (char *)keeper.config_path : "", "--log-level", level,
		"--keeper-start", start, "--engines", count, NULL,
	};
	/* clang-format on */
	struct start s = {argv, {link, keeper.listener, journal, scratch, keeper.table_fd}};
	snprintf(start, sizeof(start), "%lld", (long long)keeper.start);
	snprintf(count, sizeof(count), "%u", engine.count);
	snprintf(level, sizeof(level), "%d", (int)log_get_level());
	return clone_child(engine_exec, &s, -1, &engine.pidfd);
}

static void engine_retry(void);

void engine_start(void)
{
	AUTO_FD link = link_open();
	engine.count++;
	engine.ready_at = 0;
	keeper_watch(keeper.listener, 0, EVENT_LISTEN, 0);
	engine.pid = link < 0 ? -1 : engine_clone(link);
	if (engine.pid > 0) {
		log_debug("engine %u started, pid %d", engine.count, (int)engine.pid);
		link_tell_all();
		link_flush();
		return;
	}
	log_error("%s cannot be started: %s", keeper.engine_path, strerror(errno));
	engine.pid = 0;
	link_close();
	deaths++;
	engine_retry();
}

/* --- end ------------------------------------------------------------------------------------------------------ */

static void safe_mode(void)
{
	if (!engine.was_ready && keeper.running == 0) {
		log_error("the engine cannot be started%s",
			  keeper.log >= 0 ? ": see mpd.log in the state directory" : "");
		keeper.status = EXIT_FAILURE;
		keeper_end();
		return;
	}
	if (deaths == DEATHS_MAX)
		log_error("the engine has died %u times in a row: safe mode, processes are kept", deaths);
	keeper_watch(keeper.listener, EPOLLIN, EVENT_LISTEN, 0);
	keeper_due_in(DUE_ENGINE, safe_mode_retry);
}

/* There is no engine: plans the next one. */
static void engine_retry(void)
{
	static const nsec_t delay[] = {
		0, 10 * NSEC_PER_MS, 50 * NSEC_PER_MS, 250 * NSEC_PER_MS, NSEC_PER_SEC, 5 * NSEC_PER_SEC};
	if (keeper.phase == PHASE_STOPPING && deaths > 0)
		keeper_terminate();
	if (keeper.phase >= PHASE_TERMINATING)
		return;
	if (deaths >= DEATHS_MAX)
		safe_mode();
	else
		keeper_due_in(DUE_ENGINE, delay[MIN(deaths, ARRAY_LEN(delay) - 1)]);
}

void engine_died(int code, int status)
{
	bool healthy = engine.ready_at && keeper_clock() - engine.ready_at >= healthy_after;
	engine.pid = 0; /* first: what is done now may start something that gets its number */
	link_read(INT_MAX);
	link_close();
	close(fd_take(&engine.pidfd));
	keeper.due[DUE_WATCH] = NSEC_NEVER;
	if (keeper.phase == PHASE_ENDING)
		return;
	log_warning("the engine has died: %s %d", code == CLD_EXITED ? "exit status" : "signal", status);
	deaths = healthy ? 0 : deaths + 1;
	engine_retry();
}

void engine_ready(void)
{
	engine.ready_at = keeper_clock();
	if (!engine.was_ready)
		keeper_ready();
	engine.was_ready = true;
}

void engine_end(void)
{
	link_close();
	keeper.due[DUE_WATCH] = keeper.due[DUE_ENGINE] = NSEC_NEVER;
}

void engine_kill(void)
{
	if (engine.pid > 0)
		kill(engine.pid, SIGKILL); /* our child, and not reaped yet: nobody else has its pid */
}

/* --- watch ---------------------------------------------------------------------------------------------------- */

void engine_expect(void)
{
	if (keeper.due[DUE_WATCH] != NSEC_NEVER)
		return;
	watch.tick = page->tick;
	watch.since = keeper_clock();
	keeper.due[DUE_WATCH] = watch.since + watch_every;
}

void engine_watch(void)
{
	nsec_t now = keeper_clock();
	int unread = 0;
	if (engine.link < 0 || (ioctl(engine.link, SIOCOUTQ, &unread) == 0 && unread == 0))
		return;
	if (watch.tick != page->tick) {
		watch.tick = page->tick;
		watch.since = now;
	}
	if (now - watch.since >= (engine.ready_at ? hung_after : hung_at_start)) {
		log_error("the engine hangs: it does not read what it is told");
		engine_kill();
		return;
	}
	keeper.due[DUE_WATCH] = now + watch_every;
}

/* --- safe mode ------------------------------------------------------------------------------------------------ */

void engine_refuse(void)
{
	static const char answer[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":"
		"\"the engine cannot be started; processes are kept, and it is tried again every 60 s "
		"(see mpd's log)\"}}\n";
	int fd = accept4(keeper.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			keeper_watch(keeper.listener, 0, EVENT_LISTEN, 0); /* no spinning until the next try */
		return;
	}
	send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	close(fd);
}
