/* SPDX-License-Identifier: MIT */
/*
 * A circular, doubly linked, intrusive list: a node knows no more than its neighbours, so that it leaves in O(1)
 * without knowing the list it is on. A node that is on no list points to itself; list_del() may be called on it.
 */
#ifndef MPD_LIST_H
#define MPD_LIST_H

#include "common/sys.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(l) {&(l), &(l)}

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
/* Whether a node, once initialised, is on a list. */
static inline bool list_linked(const struct list *n) { return n->next != n; }

static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}
static inline void list_push(struct list *l, struct list *n) { list_insert_(n, l->prev, l); }
static inline void list_unshift(struct list *l, struct list *n) { list_insert_(n, l, l->next); }
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
/* Walks it. */
static inline size_t list_count(const struct list *l)
{
	size_t n = 0;
	for (const struct list *node = l->next; node != l; node = node->next)
		n++;
	return n;
}
/* The first node, taken off; NULL when there is none. */
static inline struct list *list_shift(struct list *l)
{
	struct list *n = l->next;
	if (n == l)
		return NULL;
	list_del(n);
	return n;
}

#define LIST_ENTRY(n, type, member) CONTAINER_OF(n, type, member)
#define LIST_FIRST(l, type, member) (list_empty(l) ? NULL : LIST_ENTRY((l)->next, type, member))
#define LIST_EACH(it, l, member)                                                                                       \
	for (it = LIST_ENTRY((l)->next, __typeof__(*it), member); &it->member != (l);                                  \
	     it = LIST_ENTRY(it->member.next, __typeof__(*it), member))
/* The same where the body may take IT itself off the list. */
#define LIST_EACH_SAFE(it, tmp, l, member)                                                                             \
	for (it = LIST_ENTRY((l)->next, __typeof__(*it), member),                                                      \
	    tmp = LIST_ENTRY(it->member.next, __typeof__(*it), member);                                                \
	     &it->member != (l); it = tmp, tmp = LIST_ENTRY(tmp->member.next, __typeof__(*it), member))

#endif
