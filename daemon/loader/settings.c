/* SPDX-License-Identifier: MIT */
/* The keys of [mpd]. `include` is conf.c's, which has followed it when this is read. */
#include "daemon/loader/settings.h"
#include "common/log.h"
#include "daemon/loader/keys.h"

enum { MPD_LOG, MPD_LOG_LEVEL, MPD_INCLUDE, MPD_DAEMONIC, MPD_CGROUP, MPD_KEEP, MPD_MAX_PROCESSES, MPD_KEYS };

static int read_log(const struct key_value *v, struct fault *f)
{
	return span_is(v->text, "stderr") ? 0 : key_wrong(v, f, "is not supported yet (stderr is)");
}

static int read_log_level(const struct key_value *v, struct fault *f)
{
	int level = log_level_of(v->text.p);
	if (level < 0)
		return key_wrong(v, f, "is not one of: error, warning, info, debug");
	*(int32_t *)v->to = level;
	return 0;
}

#define AT(member) .offset = offsetof(struct settings, member)
static const struct key rows[] = {
	{"log", MPD_LOG, .read = read_log},
	{"log_level", MPD_LOG_LEVEL, read_log_level, AT(log_level)},
	{"include", MPD_INCLUDE, .read = NULL},
	{"daemonic_children", MPD_DAEMONIC, key_choice, AT(daemonic_children), .choices = "refuse|allow"},
	{"cgroup", MPD_CGROUP, key_path, AT(cgroup)},
	{"keep", MPD_KEEP, key_duration, AT(keep)},
	{"max_processes", MPD_MAX_PROCESSES, key_count, AT(max_processes), .min = 1, .max = 1000000},
};

void settings_read(struct conf *c, struct settings *ret)
{
	struct conf_entry *set[MPD_KEYS] = {NULL};
	struct keys keys = {.conf = c, .rows = rows, .nrows = ARRAY_LEN(rows), .set = set};
	*ret = (struct settings){.log_level = -1, .keep = 3600 * NSEC_PER_SEC};
	keys_collect(&keys, &c->mpd);
	keys_read(&keys, ret, 0, MPD_KEYS, false, NULL);
}
