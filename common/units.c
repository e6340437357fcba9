/* SPDX-License-Identifier: MIT */
/* Lengths of time, sizes and signals, as people write and read them. */
#include "common/units.h"
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

static bool span_is_nocase(struct span s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.p, word, s.n);
}

/* Takes a decimal number off the front of *S: its whole part, which stops at MAX, and its fraction as nine digits,
 * what is behind them cut off. -1 when no digit is there. */
static int take_decimal(struct span *s, uint64_t max, uint64_t *ret_whole, uint64_t *ret_nano)
{
	uint64_t whole = 0, nano = 0;
	size_t i = 0, digits = 0;
	for (; i < s->n && isdigit((unsigned char)s->p[i]); i++, digits++) {
		uint64_t d = (uint64_t)(s->p[i] - '0');
		whole = whole > (max - d) / 10 ? max : whole * 10 + d;
	}
	if (digits && i < s->n && s->p[i] == '.') {
		size_t point = i++;
		for (uint64_t unit = 100000000; i < s->n && isdigit((unsigned char)s->p[i]); i++, unit /= 10)
			nano += unit * (uint64_t)(s->p[i] - '0');
		digits = i - point - 1;
	}
	if (!digits)
		return -1;
	*s = (struct span){s->p + i, s->n - i};
	*ret_whole = whole;
	*ret_nano = nano;
	return 0;
}

static const struct {
	const char *name;
	nsec_t length;
} duration_units[] = {
	{"", NSEC_PER_SEC},         {"s", NSEC_PER_SEC},
	{"ms", NSEC_PER_MS},        {"us", 1000},
	{"m", 60 * NSEC_PER_SEC},   {"min", 60 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC}, {"d", 86400 * NSEC_PER_SEC},
	{"sec", NSEC_PER_SEC},      {"ns", 1},
};

/* As scan_seconds(): what passes 200 years is for ever. */
#define DURATION_MAX ((nsec_t)200 * 366 * 86400 * NSEC_PER_SEC)

int units_duration(struct span s, nsec_t *ret)
{
	uint64_t whole, nano;
	if (take_decimal(&s, DURATION_MAX, &whole, &nano) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (!span_is(s, duration_units[i].name))
			continue;
		__int128 t = (__int128)whole * duration_units[i].length;
		t += ((__int128)nano * duration_units[i].length + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
		*ret = t > DURATION_MAX ? NSEC_NEVER : (nsec_t)t;
		return 0;
	}
	return -1;
}

int units_size(struct span s, uint64_t *ret)
{
	static const char letters[] = "KMGTPE";
	uint64_t whole, nano;
	if (take_decimal(&s, UINT64_MAX, &whole, &nano) < 0)
		return -1;
	const char *letter = s.n ? memchr(letters, toupper((unsigned char)s.p[0]), sizeof(letters) - 1) : NULL;
	unsigned shift = letter ? 10 * (unsigned)(letter - letters + 1) : 0;
	struct span rest = letter ? (struct span){s.p + 1, s.n - 1} : s;
	if (rest.n && !span_is_nocase(rest, "B") && !(letter && span_is_nocase(rest, "iB")))
		return -1;
	unsigned __int128 size = ((unsigned __int128)whole << shift) + ((unsigned __int128)nano << shift) / 1000000000;
	if (size >= UINT64_MAX || (nano && !shift))
		return -1;
	*ret = (uint64_t)size;
	return 0;
}

static const struct {
	const char *name;
	int number;
} signals[] = {
#define S(name) #name, SIG##name
	{S(HUP)},  {S(INT)},  {S(QUIT)}, {S(ILL)},   {S(TRAP)},   {S(ABRT)},   {S(BUS)},  {S(FPE)},  {S(KILL)},
	{S(USR1)}, {S(SEGV)}, {S(USR2)}, {S(PIPE)},  {S(ALRM)},   {S(TERM)},   {S(CHLD)}, {S(CONT)}, {S(STOP)},
	{S(TSTP)}, {S(TTIN)}, {S(TTOU)}, {S(URG)},   {S(XCPU)},   {S(XFSZ)},   {S(PROF)}, {S(IO)},   {S(PWR)},
	{S(SYS)},  {S(IOT)},  {S(POLL)}, {S(WINCH)}, {S(STKFLT)}, {S(VTALRM)},
#undef S
};
#define SIGNAL_MAX 64

/* A whole decimal number up to SIGNAL_MAX, or -1. */
static int small_number(struct span s)
{
	int n = 0;
	if (s.n == 0 || s.n > 2)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (!isdigit((unsigned char)s.p[i]))
			return -1;
		n = n * 10 + s.p[i] - '0';
	}
	return n <= SIGNAL_MAX ? n : -1;
}

/* "RTMIN", "RTMIN+3", "RTMAX-2": 0 when it is none of them. */
static int realtime_signal(struct span s)
{
	bool from_min = s.n >= 5 && !strncasecmp(s.p, "RTMIN", 5), from_max = s.n >= 5 && !strncasecmp(s.p, "RTMAX", 5);
	if (!from_min && !from_max)
		return 0;
	int base = from_min ? SIGRTMIN : SIGRTMAX;
	if (s.n == 5)
		return base;
	int by = small_number((struct span){s.p + 6, s.n - 6});
	if (by < 0 || s.p[5] != (from_min ? '+' : '-') || by > SIGRTMAX - SIGRTMIN)
		return 0;
	return from_min ? base + by : base - by;
}

static int named_signal(struct span s)
{
	if (s.n > 3 && !strncasecmp(s.p, "SIG", 3))
		s = (struct span){s.p + 3, s.n - 3};
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (span_is_nocase(s, signals[i].name))
			return signals[i].number;
	return realtime_signal(s);
}

int units_signal(struct span s, int *ret)
{
	int signo = small_number(s);
	if (signo < 0)
		signo = named_signal(s);
	if (signo <= 0)
		return -1;
	*ret = signo;
	return 0;
}

const char *units_signal_name(int signo)
{
	static char text[24];
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].number == signo)
			return signals[i].name;
	if (signo == SIGRTMIN || signo == SIGRTMAX)
		return signo == SIGRTMIN ? "RTMIN" : "RTMAX";
	bool realtime = signo > SIGRTMIN && signo < SIGRTMAX;
	snprintf(text, sizeof(text), realtime ? "RTMIN+%d" : "signal %d", realtime ? signo - SIGRTMIN : signo);
	return text;
}

int units_bool(struct span s, bool *ret)
{
	static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (int value = 0; value < 2; value++)
			if (span_is_nocase(s, words[i][value])) {
				*ret = value;
				return 0;
			}
	return -1;
}

/* The two greatest units that matter; below a minute a fraction instead of the second. */
void units_put_duration(struct buf *out, nsec_t t)
{
	long long s = t / NSEC_PER_SEC;
	if (t == NSEC_NEVER)
		buf_puts(out, "never");
	else if (s >= 86400)
		buf_printf(out, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		buf_printf(out, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else if (s >= 60)
		buf_printf(out, "%lldm%02llds", s / 60, s % 60);
	else if (s >= 1)
		buf_printf(out, "%lld.%llds", s, (long long)(t / (NSEC_PER_SEC / 10)) % 10);
	else
		buf_printf(out, "%lldms", (long long)(t / NSEC_PER_MS));
}

void units_put_size(struct buf *out, uint64_t size)
{
	static const char letters[] = "BKMGTPE";
	unsigned unit = 0;
	while (unit < 6 && size >> (10 * unit) >= 1024)
		unit++;
	uint64_t whole = size >> (10 * unit);
	uint64_t tenth = unit ? (size >> (10 * (unit - 1))) % 1024 * 10 / 1024 : 0;
	if (unit && whole < 10 && tenth)
		buf_printf(out, "%llu.%llu%c", (unsigned long long)whole, (unsigned long long)tenth, letters[unit]);
	else
		buf_printf(out, "%llu%c", (unsigned long long)whole, letters[unit]);
}
