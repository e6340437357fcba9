/* SPDX-License-Identifier: MIT */
/* Whom --user names: user.h. */
#include "cli/user.h"
#include "common/scan.h"
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

struct user {
	char *name; /* owned; NULL: it has none */
	uint32_t uid, gid;
	bool has_gid;
};

static bool number(const char *s, uint32_t *ret)
{
	uint64_t n;
	size_t digits = strspn(s, "0123456789");
	if (digits == 0 || s[digits] || scan_u64(span_of(s), &n) < 0 || n >= UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* The entry of NAME, else (NAME is NULL) of the number UID. */
static bool find_entry(struct user *u, const char *name, uint32_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;
	while (f && (pw = fgetpwent(f)) && (name ? strcmp(pw->pw_name, name) != 0 : pw->pw_uid != uid))
		;
	if (pw) {
		u->name = strdup(pw->pw_name);
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
		u->has_gid = true;
	}
	if (f)
		fclose(f);
	return pw;
}

static bool find_user(struct user *u, const char *who)
{
	if (find_entry(u, who, 0))
		return true;
	if (!number(who, &u->uid))
		return false;
	find_entry(u, NULL, u->uid);
	return true;
}

static bool find_group(struct user *u, const char *name)
{
	FILE *f = fopen("/etc/group", "re");
	const struct group *gr = NULL;
	while (f && (gr = fgetgrent(f)) && strcmp(gr->gr_name, name) != 0)
		;
	if (gr)
		u->gid = gr->gr_gid;
	u->has_gid = gr || number(name, &u->gid);
	if (f)
		fclose(f);
	return u->has_gid;
}

static bool is_member(const struct group *gr, const char *name)
{
	for (char **m = gr->gr_mem; *m; m++)
		if (!strcmp(*m, name))
			return true;
	return false;
}

/* Its own group first, as login(1) has them. */
static void put_groups(struct buf *b, const struct user *u)
{
	FILE *f = u->name ? fopen("/etc/group", "re") : NULL;
	const struct group *gr;
	buf_printf(b, "[%u", u->gid);
	while (f && (gr = fgetgrent(f)))
		if (gr->gr_gid != u->gid && is_member(gr, u->name))
			buf_printf(b, ",%u", gr->gr_gid);
	buf_putc(b, ']');
	if (f)
		fclose(f);
}

/* What is wrong, or NULL. */
static const char *look_up(struct user *u, const char *who, const char *group)
{
	if (!find_user(u, who))
		return "/etc/passwd has no such user";
	if (group && !find_group(u, group))
		return "/etc/group has no such group";
	return u->has_gid ? NULL : "/etc/passwd has no such user: its group is needed, UID:GROUP";
}

int user_put(struct buf *b, const char *given, const char **ret_wrong)
{
	struct user u = {0};
	AUTO_FREE char *who = strdup(given);
	char *group = who ? strchr(who, ':') : NULL;
	if (group)
		*group++ = '\0';
	const char *wrong = who ? look_up(&u, who, group) : strerror(ENOMEM);
	if (wrong) {
		*ret_wrong = wrong;
	} else {
		buf_printf(b, "{\"uid\":%u,\"gid\":%u,\"groups\":", u.uid, u.gid);
		put_groups(b, &u);
		buf_putc(b, '}');
	}
	free(u.name);
	return wrong ? -1 : 0;
}
