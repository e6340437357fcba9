/* SPDX-License-Identifier: MIT */
/*
 * mpd: the options, where things are by default, and what a process must be before it can be a keeper.
 *
 * 1. Descriptors 0, 1 and 2 are open, and no other; so none of ours is ever one of those a child shall have.
 * 2. Dispositions are at their default and all signals are blocked; children get both from here.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define UID_OVERFLOW 65534 /* what has no number in our user namespace, and nobody's own */

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: mpd [-c FILE] [-s SOCKET] [-d STATE_DIR] [--background] [--check] [--log-level LEVEL]\n";
static const char help[] =
	"\n"
	"Starts, watches and reaps processes, and serves mpctl over a Unix socket.\n"
	"\n"
	"  -c, --config FILE      the configuration ($MPCTL_CONFIG; else /etc/mpctl/mpd.conf,\n"
	"                         as another user ~/.config/mpctl/mpd.conf)\n"
	"  -s, --socket SOCKET    where to listen ($MPCTL_SOCKET; else /run/mpctl/mpd.sock,\n"
	"                         as another user $XDG_RUNTIME_DIR/mpctl/mpd.sock)\n"
	"  -d, --state DIR        logs and locks (/var/lib/mpctl, as another user ~/.local/state/mpctl)\n"
	"      --background       return when the socket answers; log to DIR/mpd.log from then on\n"
	"      --check            read the configuration, say what is wrong with it, and exit\n"
	"      --log-level LEVEL  error, warning, info or debug\n"
	"      --version, --help\n"
	"\n"
	"SIGTERM and SIGINT stop everything that mpd has started; a second one does not wait for mpd-engine.\n"
	"MPD_CGROUP=off in the environment: find trees of processes by scanning /proc, not by cgroups.\n";

static struct {
	char socket[PATH_MAX], state_dir[PATH_MAX], config[PATH_MAX], engine[PATH_MAX], notify[PATH_MAX];
	int log_level; /* -1: not said */
	bool background, check;
} options = {.log_level = -1};

static void __attribute__((noreturn)) usage_error(void)
{
	fprintf(stderr, "%sTry mpd --help.\n", usage);
	exit(EXIT_USAGE);
}

/* --- where things are ----------------------------------------------------------------------------------------- */

static void path_set(char *to, const char *fmt, ...) PRINTF(2, 3);
static void path_set(char *to, const char *fmt, ...)
{
	va_list ap;
	int n;
	va_start(ap, fmt);
	n = vsnprintf(to, PATH_MAX, fmt, ap);
	va_end(ap);
	if (n >= PATH_MAX)
		boot_die(EXIT_FAILURE, "path too long: %.60s...", to);
}

/* As it was given, made absolute: it must mean the same to everybody we start. */
static void path_absolute(char *to, const char *path)
{
	char here[PATH_MAX];
	if (path[0] == '/')
		path_set(to, "%s", path);
	else if (getcwd(here, sizeof(here)))
		path_set(to, "%s/%s", here, path);
	else
		boot_die(EXIT_FAILURE, "the current directory: %s", strerror(errno));
}

/* A variable that is set to something. */
static const char *env(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static void default_socket(void)
{
	if (env("MPCTL_SOCKET"))
		path_absolute(options.socket, env("MPCTL_SOCKET"));
	else if (keeper.uid == 0)
		path_set(options.socket, "/run/mpctl/mpd.sock");
	else if (env("XDG_RUNTIME_DIR"))
		path_set(options.socket, "%s/mpctl/mpd.sock", env("XDG_RUNTIME_DIR"));
	else
		boot_die(EXIT_FAILURE, "XDG_RUNTIME_DIR is not set: say with -s SOCKET where to listen");
}

static void default_state(void)
{
	if (keeper.uid == 0)
		path_set(options.state_dir, "/var/lib/mpctl");
	else if (env("XDG_STATE_HOME"))
		path_set(options.state_dir, "%s/mpctl", env("XDG_STATE_HOME"));
	else if (env("HOME"))
		path_set(options.state_dir, "%s/.local/state/mpctl", env("HOME"));
	else
		boot_die(EXIT_FAILURE, "HOME is not set: say with -d DIR where to keep state");
}

/* Beside us, as in a build folder, else where it is installed. */
static void default_engine(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	self[MAX(n, 0)] = '\0';
	slash = strrchr(self, '/');
	path_set(options.engine, "%.*s/mpd-engine", slash ? (int)(slash - self) : 0, self);
	if (access(options.engine, X_OK) < 0)
		path_set(options.engine, "%s/mpd-engine", MPD_LIBEXECDIR);
}

static void defaults(void)
{
	if (!options.socket[0])
		default_socket();
	if (!options.state_dir[0])
		default_state();
	if (!options.engine[0])
		default_engine();
	keeper.socket = options.socket;
	keeper.state_dir = options.state_dir;
	keeper.engine_path = options.engine;
}

/* --- options -------------------------------------------------------------------------------------------------- */

enum { OPTION_BACKGROUND = 256, OPTION_CHECK, OPTION_LOG_LEVEL, OPTION_VERSION, OPTION_HELP, OPTION_ENGINE };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"socket", required_argument, NULL, 's'},
	{"state", required_argument, NULL, 'd'},
	{"background", no_argument, NULL, OPTION_BACKGROUND},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{"engine", required_argument, NULL, OPTION_ENGINE}, /* for tests */
	{NULL, 0, NULL, 0},
};

static void say_and_exit(const char *text, const char *more)
{
	printf("%s%s", text, more);
	exit(EXIT_SUCCESS);
}

static void take_option(int option)
{
	switch (option) {
	case 'c':
		keeper.config = optarg;
		path_absolute(options.config, optarg);
		keeper.config_path = options.config;
		break;
	case 's':
		path_absolute(options.socket, optarg);
		break;
	case 'd':
		path_absolute(options.state_dir, optarg);
		break;
	case OPTION_BACKGROUND:
		options.background = true;
		break;
	case OPTION_CHECK:
		options.check = true;
		break;
	case OPTION_LOG_LEVEL:
		options.log_level = log_level_of(optarg);
		if (options.log_level < 0)
			boot_die(EXIT_USAGE, "--log-level: \"%s\" is none of error, warning, info, debug", optarg);
		break;
	case OPTION_VERSION:
		say_and_exit("mpd " MPD_VERSION "\n", "");
		break;
	case OPTION_HELP:
		say_and_exit(usage, help);
		break;
	case OPTION_ENGINE:
		path_absolute(options.engine, optarg);
		break;
	default:
		usage_error();
	}
}

static void take_options(int argc, char **argv)
{
	int option;
	while ((option = getopt_long(argc, argv, "c:s:d:", long_options, NULL)) != -1)
		take_option(option);
	if (optind == argc)
		return;
	fprintf(stderr, "mpd: unexpected argument: %s\n", argv[optind]);
	usage_error();
}

static void __attribute__((noreturn)) check_configuration(void)
{
	char *argv[] = {"mpd-engine",          "--load", "--check", keeper.config ? "--config" : NULL,
			(char *)keeper.config, NULL};
	execv(keeper.engine_path, argv);
	boot_die(EXIT_FAILURE, "%s: %s", keeper.engine_path, strerror(errno));
}

/* --- becoming a keeper ---------------------------------------------------------------------------------------- */

static void clean_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	if (fd < 0)
		boot_die(EXIT_FAILURE, "/dev/null: %s", strerror(errno));
	sys_close_range(STDERR_FILENO + 1, ~0u, 0);
	keeper.null = open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* glibc keeps two of the signals (nptl(7)) and refuses them here; ignored by who started us, they would stay so in all
 * our children. SIG_DFL and no flags are all zeros, whatever the kernel's struct looks like. */
static void clean_signals(void)
{
	static const char zeros[64];
	struct sigaction act = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
	sigset_t none;
	for (int signo = 1; signo < NSIG; signo++)
		if (sigaction(signo, &act, NULL) < 0 && signo != SIGKILL && signo != SIGSTOP)
			syscall(SYS_rt_sigaction, signo, zeros, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void block_signals(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void open_log(void)
{
	char path[PATH_MAX];
	path_set(path, "%s/mpd.log", keeper.state_dir);
	keeper.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (keeper.log < 0)
		boot_die(EXIT_FAILURE, "cannot open %s: %s", path, strerror(errno));
}

/* The parent returns when a byte comes through the pipe: an engine serves. Or with the status of the child. */
static void go_background(void)
{
	int ends[2], status = 0;
	char byte;
	pid_t pid;
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		boot_die(EXIT_FAILURE, "cannot go to the background: %s", strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		keeper.ready = ends[1];
		setsid();
		return;
	}
	close(ends[1]);
	if (RETRY(read(ends[0], &byte, 1)) == 1)
		_exit(EXIT_SUCCESS);
	RETRY(waitpid(pid, &status, 0));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

void keeper_notify(const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(options.notify);
	AUTO_FD fd = -1;
	if (n == 0 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, options.notify, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

void keeper_ready(void)
{
	keeper_notify("READY=1");
	if (keeper.ready < 0)
		return;
	if (write(keeper.ready, "", 1) != 1)
		log_warning("who started mpd did not wait for it");
	close(fd_take(&keeper.ready));
	dup2(keeper.null, STDIN_FILENO);
	dup2(keeper.null, STDOUT_FILENO);
	dup2(keeper.log, STDERR_FILENO);
}

static void set_log_level(void)
{
	int level = options.log_level >= 0 ? options.log_level : keeper.table->log_level;
	if (level >= 0)
		log_set_level((enum log_level)level);
}

int main(int argc, char **argv)
{
	int status;
	keeper.uid = geteuid();
	log_init("mpd", LOG_INFO);
	take_options(argc, argv);
	if (keeper.uid == UID_OVERFLOW && !options.check)
		boot_die(EXIT_FAILURE, "the user %u (nobody) owns nothing: run it as a user of its own", keeper.uid);
	defaults();
	if (options.check)
		check_configuration();
	clean_descriptors();
	clean_signals();
	path_set(options.notify, "%s", getenv("NOTIFY_SOCKET") ? getenv("NOTIFY_SOCKET") : "");
	unsetenv("NOTIFY_SOCKET");
	if (options.background)
		go_background();
	keeper.pid = getpid();
	keeper.start = sys_now();
	boot();
	set_log_level();
	block_signals();
	if (options.background)
		open_log();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		boot_die(EXIT_FAILURE, "prctl: %s", strerror(errno));
	status = keeper_run();
	boot_undo();
	return status;
}
