/* SPDX-License-Identifier: MIT */
/*
 * The verbs of objects: mpctl OBJECT VERB NAME. A verb is the registry's, KIND.VERB, with '-' for '_': its flags, its
 * positional arguments and its sentence come from there, how its answer is shown from one table. What is special is a
 * row of struct verb in object.c.
 *
 * Whose a hold is: what mpctl leaves held when it returns belongs to its parent, or to --owner PID. What only waits,
 * and what is given back before mpctl returns, is mpctl's own.
 */
#ifndef MPCTL_OBJECT_H
#define MPCTL_OBJECT_H

#include "cli/args.h"
#include "cli/client.h"

struct object {
	const char *name;   /* as it is typed */
	const char *kind;   /* as the daemon has it */
	const char *sample; /* a name for examples */
};

/* The N-th kind of object, NULL past the end; the one of that name, or that the daemon calls so. */
const struct object *object_at(size_t n);
const struct object *object_find(const char *name);
/* The verb that ARGV means, the words behind OBJECT; moves ARGV to behind it. WITH_COMMAND: "--" is among them. What
 * is no verb ends the program with STATUS_USAGE. */
const struct verb *object_verb(const struct object *, char ***argv, bool with_command);
/* The verb VERB ("task-done") of OBJECT, NULL: it has none. Valid until the next call. */
const struct verb *object_verb_find(const struct object *, const char *verb);
/* The names of its verbs, in their order, ended by NULL; "" stands for OBJECT NAME -- CMD. */
const char *const *object_verbs(const struct object *);

/* Any verb: sends what flags and words say, waits, shows the answer. */
verb_main verb_object;
/* Ends with a usage error when there is no name, for verbs that read their words by themselves. */
void object_named(const struct args *);
/* Adds the object's name, the first word. */
void object_name(const struct args *, struct buf *members);
/* Adds what --no-wait, --fence, --raw and --one-way say. */
void object_flags(struct args *);
/* Adds the owner: --owner, or mpctl's parent; the second where the command asks for one and leaves something held. */
void object_owner(struct args *, struct buf *members);
void object_owner_default(struct args *);
/* Whether what the command leaves held belongs to mpctl's parent by default. */
bool object_leaves(enum api_id);
/* Whether timeout 0 was asked for. */
bool object_tries(const struct args *);

#endif
