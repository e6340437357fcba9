/* SPDX-License-Identifier: MIT */
/* The user database, read through getpwnam(3) and its like, whose static answers are copied before the next call. */
#include "daemon/loader/users.h"
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#define GROUPS_MAX 65536 /* NGROUPS_MAX */

/* A decimal number of a user or group; -1 stands for "leave it" in system calls and is nobody. */
static bool is_number(struct span s, uint32_t *ret)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || n > UINT32_MAX)
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = (uint32_t)n;
	return s.n && n < UINT32_MAX;
}

static const char *copy(struct arena *a, const char *s, const char *otherwise)
{
	return arena_copy(a, span_of(s && *s ? s : otherwise)).p;
}

static int not_found(const char *what, struct span name, int error, struct fault *f)
{
	int n = (int)MIN(name.n, 128);
	/* What getpwnam(3) says when all went well and there is no such entry. */
	if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
		return fault_set(f, FAULT_NOT_FOUND, "there is no %s \"%.*s\"", what, n, name.p);
	return fault_set(f, FAULT_NOT_FOUND, "cannot look up the %s \"%.*s\": %s", what, n, name.p, strerror(error));
}

static void take_entry(struct arena *a, const struct passwd *pw, struct user *ret)
{
	*ret = (struct user){
		.uid = pw->pw_uid,
		.gid = pw->pw_gid,
		.name = copy(a, pw->pw_name, ""),
		.home = copy(a, pw->pw_dir, "/"),
		.shell = copy(a, pw->pw_shell, "/bin/sh"),
	};
}

int users_find(struct arena *a, struct span name, struct user *ret, struct fault *f)
{
	uint32_t uid;
	const char *text = arena_copy(a, name).p;
	errno = 0;
	const struct passwd *pw = text ? getpwnam(text) : NULL;
	if (!pw && is_number(name, &uid))
		pw = getpwuid(uid);
	if (!pw)
		return not_found("user", name, errno, f);
	take_entry(a, pw, ret);
	return 0;
}

void users_self(struct arena *a, struct user *ret)
{
	char number[16];
	const struct passwd *pw = getpwuid(geteuid());
	if (pw) {
		take_entry(a, pw, ret);
		return;
	}
	snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	*ret = (struct user){geteuid(), getegid(), copy(a, number, ""), copy(a, "/", ""), copy(a, "/bin/sh", "")};
}

int users_group(struct span name, gid_t *ret, struct fault *f)
{
	uint32_t gid;
	AUTO_FREE char *text = strndup(name.p, name.n);
	errno = 0;
	const struct group *gr = text ? getgrnam(text) : NULL;
	if (!gr && is_number(name, &gid))
		gr = getgrgid(gid);
	if (!gr)
		return not_found("group", name, errno, f);
	*ret = gr->gr_gid;
	return 0;
}

int users_groups(struct arena *a, const struct user *user, gid_t gid, uint32_t **ret, size_t *ret_count,
		 struct fault *f)
{
	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "a plan's groups are gid_t");
	int n = 64;
	gid_t *list = NULL;
	for (int room = 0; room < n && n <= GROUPS_MAX;) {
		room = n;
		list = arena_alloc(a, (size_t)room * sizeof(*list));
		if (!list || getgrouplist(user->name, gid, list, &n) >= 0)
			break;
		n = MAX(n, room + 1);
	}
	if (!list || n > GROUPS_MAX)
		return fault_set(f, FAULT_NOT_FOUND, "cannot list the groups of \"%s\"", user->name);
	*ret = list;
	*ret_count = (size_t)n;
	return 0;
}
