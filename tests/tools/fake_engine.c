/* SPDX-License-Identifier: MIT */
/*
 * An engine that does as it is told, to test the keeper alone. It takes connections on the keeper's socket; a line is
 * a command, its words separated by tabs; every message of the keeper's, from the first on, is a line to everybody
 * who is connected. `mpd-engine --load` too: a table with the one job $FAKE_JOB, a command for sh.
 *
 *   spawn ID [KEY=VALUE...] -- ARGV...   in= out= err= (null pipe inherit fd, or a path), env= (a whole environment
 *                                        otherwise empty), cwd= cwdfd= umask= nice= parent= flags= noseal= noclient=
 *   job ID JOB INSTANCE                  signal ID SIGNO SCOPE        kill ID          release ID
 *   read ID 0|1                          what its stdout or stderr has by now
 *   journal TEXT                         hands over a new journal     journal?         says what is in the journal
 *   ready  fds  shutdown  exit STATUS  hang
 *
 * $FAKE_ENGINE: "mute": never READY. "die N M": engines number N to M exit before READY.
 */
#include "common/sys.h"
#include "daemon/link.h"
#include "daemon/plan.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { CLIENTS = 16, WORDS = 512, LINE = 65536, PROCESSES = 20000 };

struct process {
	uint64_t id;
	uint32_t slot;
	int fd[2];
};

static struct {
	int fd;
	size_t sent; /* of the history */
	size_t len;
	char line[LINE];
} clients[CLIENTS];
static size_t nclients;
static struct process processes[PROCESSES];
static size_t nprocesses;
static char history[16 << 20];
static size_t history_len;
static uint64_t seq;
static struct link_page *page;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(int fd, const char *text, size_t n)
{
	if (write(fd, text, n) != (ssize_t)n)
		die("write");
}

static void say(const char *fmt, ...) PRINTF(1, 2);
static void say(const char *fmt, ...)
{
	char *line = history + history_len;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(history) - history_len, fmt, ap);
	va_end(ap);
	line[n] = '\n';
	history_len += (size_t)n + 1;
}

/* --- plans ---------------------------------------------------------------------------------------------------- */

static char plan_bytes[PLAN_MAX];
static size_t plan_len;

static uint32_t plan_add(const void *p, size_t n, size_t align)
{
	plan_len = (plan_len + align - 1) / align * align;
	memcpy(plan_bytes + plan_len, p, n);
	plan_len += n;
	return (uint32_t)(plan_len - n);
}

static uint32_t plan_text(const char *s) { return plan_add(s, strlen(s) + 1, 1); }

static uint32_t plan_texts(char **texts, uint32_t n)
{
	uint32_t offsets[WORDS] = {0};
	for (uint32_t i = 0; i < n; i++)
		offsets[i] = plan_text(texts[i]);
	return plan_add(offsets, n * sizeof(*offsets), 4);
}

static void plan_begin(struct plan *p)
{
	*p = (struct plan){.magic = PLAN_MAGIC, .umask = -1};
	plan_len = sizeof(*p);
}

static void plan_end(struct plan *p, char **argv, uint32_t argc, char **env, uint32_t envc)
{
	p->argc = argc;
	p->envc = envc;
	p->argv = plan_texts(argv, argc);
	p->envp = envc ? plan_texts(env, envc) : 0;
	plan_len = (plan_len + 7) / 8 * 8;
	p->room = (uint32_t)plan_len;
	memset(plan_bytes + plan_len, 0, PLAN_ROOM(argc, envc));
	plan_len += PLAN_ROOM(argc, envc);
	p->size = (uint32_t)plan_len;
	memcpy(plan_bytes, p, sizeof(*p));
}

static int plan_memfd(bool seal)
{
	int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	put(fd, plan_bytes, plan_len);
	if (seal)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

/* --- the loader ----------------------------------------------------------------------------------------------- */

static int load(int argc, char **argv)
{
	const char *command = getenv("FAKE_JOB"), *status = getenv("FAKE_LOAD");
	char *words[] = {"sh", "-c", (char *)(command ? command : "exit 0")};
	struct jobtab t = {
		.magic = JOBTAB_MAGIC, .jobs = sizeof(t), .njobs = 1, .generation = 1, .log_level = -1, .trusted = 1};
	struct jobtab_job job = {.instances = 1, .plans = sizeof(t) + sizeof(job)};
	uint32_t at = (uint32_t)((job.plans + sizeof(at) + 7) / 8 * 8);
	struct plan p;
	int fd = -1;
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--out"))
			fd = atoi(argv[i + 1]);
	if (status) {
		fprintf(stderr, "fake.conf:1: wrong\n");
		return atoi(status);
	}
	plan_begin(&p);
	p.stdio[1] = PLAN_PIPE;
	plan_end(&p, words, 3, NULL, 0);
	t.socket_gid = UINT32_MAX;
	t.size = at + p.size;
	if (ftruncate(fd, t.size) < 0 || pwrite(fd, &t, sizeof(t), 0) < 0 ||
	    pwrite(fd, &job, sizeof(job), t.jobs) < 0 || pwrite(fd, &at, sizeof(at), job.plans) < 0 ||
	    pwrite(fd, plan_bytes, p.size, at) < 0)
		die("table");
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0;
}

/* --- the link ------------------------------------------------------------------------------------------------- */

static void tell(struct link_msg *m, const int *fds, size_t nfds)
{
	char control[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))] = {0};
	struct iovec iov = {m, sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd p = {ENGINE_LINK, POLLOUT, 0};
	if (nfds > 0) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){CMSG_LEN(nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, nfds * sizeof(int));
	}
	m->seq = ++seq;
	while (sendmsg(ENGINE_LINK, &h, MSG_NOSIGNAL) < 0 && errno == EAGAIN)
		poll(&p, 1, -1);
}

static struct process *find(uint64_t id, uint32_t slot)
{
	for (size_t i = nprocesses; i-- > 0;)
		if (processes[i].id == id)
			return &processes[i];
	processes[nprocesses] = (struct process){id, slot, {-1, -1}};
	return &processes[nprocesses++];
}

static void hear_started(const struct link_msg *m, const int *fds)
{
	struct process *p = find(m->id, m->slot);
	for (int i = 0, n = 0; i < 2; i++)
		if (m->started.has & (1u << i))
			p->fd[i] = fds[n++];
	say("STARTED\t%llu\t%u\t%d\t%u\t%u", (unsigned long long)m->id, m->slot, m->started.pid, m->started.uid,
	    m->started.has);
}

static void hear(const struct link_msg *m, const int *fds)
{
	static const char *const steps[] = {
#define X(symbol, name) name,
		SPAWN_STEPS(X)
#undef X
	};
	unsigned long long id = m->id;
	switch (m->type) {
	case LINK_STARTED:
		hear_started(m, fds);
		break;
	case LINK_FAILED:
		find(m->id, m->slot);
		say("FAILED\t%llu\t%u\t%s\t%d", id, m->slot, steps[m->failed.step], m->failed.error);
		break;
	case LINK_EXITED:
		find(m->id, m->slot);
		say("EXITED\t%llu\t%u\t%d\t%d\t%u", id, m->slot, m->exited.code, m->exited.status, m->exited.leftover);
		break;
	case LINK_TREE_EMPTY:
		say("TREE_EMPTY\t%llu", id);
		break;
	case LINK_SYNCED:
		seq = MAX(seq, m->synced.seq);
		say("SYNCED\t%llu\t%u\t%u\t%u\t%d", (unsigned long long)m->synced.seq, m->synced.engines,
		    m->synced.slots, m->synced.cgroups, m->synced.keeper_pid);
		break;
	case LINK_STOP:
		say("STOP");
		break;
	case LINK_STRAYS:
		say("STRAYS\t%u", m->strays.count);
		break;
	default:
		say("UNKNOWN\t%u", m->type);
	}
}

static void on_link(void)
{
	char control[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
	struct link_msg m;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n;
	while ((n = recvmsg(ENGINE_LINK, &h, MSG_CMSG_CLOEXEC)) > 0) {
		int fds[LINK_FDS_MAX] = {0};
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);
		if (c)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		hear(&m, fds);
		h.msg_controllen = sizeof(control);
	}
	if (n == 0)
		exit(0);
}

/* --- commands ------------------------------------------------------------------------------------------------- */

static const char *const stdio_names[] = {"null", "pipe", "fd", "file", "inherit", "stdout"};

static uint8_t stdio_of(struct plan *p, int i, const char *value)
{
	for (size_t n = 0; n < ARRAY_LEN(stdio_names); n++)
		if (!strcmp(value, stdio_names[n]))
			return (uint8_t)n;
	p->path[i] = plan_text(value);
	return PLAN_FILE;
}

struct spawning {
	struct plan plan;
	struct link_msg msg;
	char *env[WORDS];
	uint32_t envc;
	int cwd;
	bool seal, client;
};

static void option_group(struct plan *p, uint32_t gid)
{
	p->groups = plan_add(&gid, sizeof(gid), 4);
	p->ngroups = 1;
}

static void option_nofile(struct plan *p, uint64_t n)
{
	const struct plan_limit limit = {.resource = RLIMIT_NOFILE, .soft = n, .hard = n};
	p->limits = plan_add(&limit, sizeof(limit), 8);
	p->nlimits = 1;
}

static void option(struct spawning *s, char *word)
{
	char *value = strchr(word, '=');
	*value++ = '\0';
	if (!strcmp(word, "in"))
		s->plan.stdio[0] = stdio_of(&s->plan, 0, value);
	else if (!strcmp(word, "out"))
		s->plan.stdio[1] = stdio_of(&s->plan, 1, value);
	else if (!strcmp(word, "err"))
		s->plan.stdio[2] = stdio_of(&s->plan, 2, value);
	else if (!strcmp(word, "env"))
		s->env[s->envc++] = value;
	else if (!strcmp(word, "cwd"))
		s->plan.cwd = plan_text(value);
	else if (!strcmp(word, "cwdfd"))
		s->cwd = open(value, O_PATH | O_CLOEXEC);
	else if (!strcmp(word, "umask"))
		s->plan.umask = (int)strtol(value, NULL, 8);
	else if (!strcmp(word, "nice"))
		s->plan.nice = atoi(value);
	else if (!strcmp(word, "flags"))
		s->plan.flags = (uint32_t)atoi(value);
	else if (!strcmp(word, "uid"))
		s->plan.uid = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(word, "gid"))
		s->plan.gid = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(word, "group"))
		option_group(&s->plan, (uint32_t)strtoul(value, NULL, 10));
	else if (!strcmp(word, "nofile"))
		option_nofile(&s->plan, strtoull(value, NULL, 10));
	else if (!strcmp(word, "parent"))
		s->msg.spawn.parent = strtoull(value, NULL, 10);
	else if (!strcmp(word, "noseal"))
		s->seal = false;
	else if (!strcmp(word, "noclient"))
		s->client = false;
	else
		say("BAD\t%s", word);
}

static void spawn(int client, char **words, uint32_t n)
{
	static struct spawning s;
	int fds[LINK_FDS_MAX];
	size_t nfds = 0;
	uint32_t i = 2;
	s = (struct spawning){.cwd = -1, .seal = true, .client = true};
	s.msg = (struct link_msg){.type = LINK_SPAWN, .id = strtoull(words[1], NULL, 10)};
	plan_begin(&s.plan);
	for (; i < n && strcmp(words[i], "--") != 0; i++)
		option(&s, words[i]);
	plan_end(&s.plan, words + i + 1, n - i - 1, s.env, s.envc);
	s.msg.spawn.has = SPAWN_HAS_PLAN | (s.client ? SPAWN_HAS_CLIENT : 0) | (s.cwd >= 0 ? SPAWN_HAS_CWD : 0);
	if (s.client)
		fds[nfds++] = client;
	int plan = fds[nfds++] = plan_memfd(s.seal);
	if (s.cwd >= 0)
		fds[nfds++] = s.cwd;
	for (unsigned k = 0; k < 3; k++)
		if (s.plan.stdio[k] == PLAN_FD) {
			s.msg.spawn.has |= (unsigned)SPAWN_HAS_STDIN << k;
			fds[nfds++] = client;
		}
	tell(&s.msg, fds, nfds);
	close(plan);
	if (s.cwd >= 0)
		close(s.cwd);
}

static void forget(struct process *p)
{
	for (int i = 0; i < 2; i++)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	*p = processes[--nprocesses];
}

static void read_output(const struct process *p, const char *which)
{
	char text[8192];
	ssize_t n = read(p->fd[atoi(which)], text, sizeof(text) - 1);
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = '|';
	text[MAX(n, 0)] = '\0';
	say("READ\t%llu\t%s", (unsigned long long)p->id, n < 0 ? strerror(errno) : text);
}

static void on_process(char **words, uint32_t n)
{
	struct process *p = find(strtoull(words[1], NULL, 10), 0);
	struct link_msg m = {.id = p->id, .slot = p->slot};
	if (!strcmp(words[0], "read") && n == 3) {
		read_output(p, words[2]);
		return;
	}
	if (!strcmp(words[0], "signal") && n == 4) {
		m.type = LINK_SIGNAL;
		m.signal.signo = atoi(words[2]);
		m.signal.scope = (uint32_t)atoi(words[3]);
	} else {
		m.type = !strcmp(words[0], "kill") ? LINK_KILL_TREE : LINK_RELEASE;
	}
	tell(&m, NULL, 0);
	if (m.type == LINK_RELEASE)
		forget(p);
}

static void say_fds(void)
{
	char text[1024] = "";
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	while ((e = readdir(d)))
		if (atoi(e->d_name) > 2 && atoi(e->d_name) < ENGINE_FDS && strlen(text) < 1000)
			strcat(strcat(text, " "), e->d_name);
	closedir(d);
	say("FDS\t%s", text);
}

static void on_journal(const char *text)
{
	int fd = memfd_create("new", MFD_CLOEXEC);
	put(fd, text, strlen(text));
	tell(&(struct link_msg){.type = LINK_JOURNAL}, &fd, 1);
	close(fd);
}

static void say_journal(void)
{
	char text[256] = "";
	if (pread(ENGINE_JOURNAL, text, sizeof(text) - 1, 0) < 0)
		die("journal");
	say("JOURNAL\t%s", text);
}

static void run(int client, char *line)
{
	char *words[WORDS];
	uint32_t n = 0;
	for (char *w; n < WORDS && (w = strsep(&line, "\t"));)
		words[n++] = w;
	if (!strcmp(words[0], "spawn"))
		spawn(client, words, n);
	else if (!strcmp(words[0], "job"))
		tell(&(struct link_msg){.type = LINK_SPAWN,
					.id = strtoull(words[1], NULL, 10),
					.spawn.generation = 1,
					.spawn.job = (uint32_t)atoi(words[2]),
					.spawn.instance = (uint32_t)atoi(words[3])},
		     NULL, 0);
	else if (!strcmp(words[0], "journal?"))
		say_journal();
	else if (!strcmp(words[0], "journal"))
		on_journal(words[1]);
	else if (!strcmp(words[0], "ready"))
		tell(&(struct link_msg){.type = LINK_READY}, NULL, 0);
	else if (!strcmp(words[0], "shutdown"))
		tell(&(struct link_msg){.type = LINK_SHUTDOWN}, NULL, 0);
	else if (!strcmp(words[0], "fds"))
		say_fds();
	else if (!strcmp(words[0], "exit"))
		_exit(atoi(words[1]));
	else if (!strcmp(words[0], "hang"))
		for (;;)
			pause();
	else if (n >= 2)
		on_process(words, n);
	else
		say("BAD\t%s", words[0]);
}

/* --- the loop ------------------------------------------------------------------------------------------------- */

static void on_listen(void)
{
	int fd = accept4(ENGINE_LISTEN, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || nclients == CLIENTS)
		return;
	clients[nclients].fd = fd;
	clients[nclients].sent = 0;
	clients[nclients++].len = 0;
}

static void tell_client(size_t i)
{
	ssize_t n = send(clients[i].fd, history + clients[i].sent, history_len - clients[i].sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		clients[i].sent += (size_t)n;
}

static void on_client(size_t i)
{
	char *line = clients[i].line, *end;
	ssize_t n = read(clients[i].fd, line + clients[i].len, LINE - 1 - clients[i].len);
	if (n <= 0) {
		close(clients[i].fd);
		clients[i] = clients[--nclients];
		return;
	}
	clients[i].len += (size_t)n;
	line[clients[i].len] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		run(clients[i].fd, line);
		line = end + 1;
	}
	clients[i].len = strlen(line);
	memmove(clients[i].line, line, clients[i].len);
}

static void turn(void)
{
	struct pollfd p[CLIENTS + 2] = {{ENGINE_LINK, POLLIN, 0}, {ENGINE_LISTEN, POLLIN, 0}};
	size_t n = nclients;
	for (size_t i = 0; i < n; i++)
		p[i + 2] = (struct pollfd){clients[i].fd, clients[i].sent < history_len ? POLLIN | POLLOUT : POLLIN, 0};
	poll(p, (nfds_t)n + 2, -1);
	page->tick++;
	for (size_t i = n; i-- > 0;) {
		if (p[i + 2].revents & POLLOUT)
			tell_client(i);
		if (p[i + 2].revents & ~POLLOUT)
			on_client(i);
	}
	if (p[1].revents)
		on_listen();
	if (p[0].revents)
		on_link();
}

static const char *argument(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return "";
}

int main(int argc, char **argv)
{
	const char *how = getenv("FAKE_ENGINE");
	int number = atoi(argument(argc, argv, "--engines")), from = 0, to = 0;
	if (argc > 1 && !strcmp(argv[1], "--load"))
		return load(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (how && sscanf(how, "die %d %d", &from, &to) == 2 && number >= from && number <= to)
		return 9;
	page = mmap(NULL, SCRATCH_HEAD, PROT_READ | PROT_WRITE, MAP_SHARED, ENGINE_SCRATCH, 0);
	if (page == MAP_FAILED)
		die("scratch");
	say("ENGINE\t%d\t%d\t%s", number, (int)getpid(), argument(argc, argv, "--state"));
	if (!how || strcmp(how, "mute") != 0)
		tell(&(struct link_msg){.type = LINK_READY, .seq = 0}, NULL, 0);
	for (;;)
		turn();
}
