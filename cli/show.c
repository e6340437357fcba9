/* SPDX-License-Identifier: MIT */
/*
 * Answers as a shell wants them: show.h. What no row of the table speaks of is done silently.
 *
 * With --json a value is printed as it is, and any other answer whole: one line in both cases.
 */
#include "cli/show.h"
#include "cli/object.h"
#include "cli/payload.h"
#include "cli/render.h"
#include "cli/who.h"

struct row {
	int (*show)(const struct args *, const struct call *, const char *member);
	const char *member;
};

static int show_nothing(const struct args *a, const struct call *call, const char *name)
{
	(void)a;
	(void)name;
	if (options.json)
		out_json(call->result);
	return STATUS_OK;
}

/* A number of the daemon's. */
static int show_number(const struct args *a, const struct call *call, const char *name)
{
	(void)a;
	out_json(options.json ? call->result : scan_get(call->result, name));
	return STATUS_OK;
}

static int show_token(const struct args *a, const struct call *call, const char *name)
{
	who_say_abandoned(call->cmd, a->words[0], call->result);
	return show_number(a, call, name);
}

static int show_payload(const struct args *a, const struct call *call, const char *name)
{
	(void)a;
	payload_print(scan_get(call->result, name));
	buf_putc(&out, '\n');
	return STATUS_OK;
}

static int show_lines(const struct args *a, const struct call *call, const char *name)
{
	struct span key, value;
	if (options.json)
		return show_payload(a, call, name);
	for (struct scan_iter it = scan_iter(scan_get(call->result, name)); scan_next(&it, &key, &value);) {
		payload_print(value);
		buf_putc(&out, '\n');
	}
	return STATUS_OK;
}

/* An element, or a slice. */
static int show_element(const struct args *a, const struct call *call, const char *name)
{
	bool slice = scan_get(call->result, "values").p;
	return slice ? show_lines(a, call, "values") : show_payload(a, call, name);
}

static void print_pair(struct span key, struct span value)
{
	payload_print(key);
	buf_putc(&out, '\t');
	payload_print(value);
	buf_putc(&out, '\n');
}

static int show_pairs(const struct args *a, const struct call *call, const char *name)
{
	struct span none, pair, key, value;
	if (options.json)
		return show_payload(a, call, name);
	for (struct scan_iter it = scan_iter(scan_get(call->result, name)); scan_next(&it, &none, &pair);) {
		struct scan_iter two = scan_iter(pair);
		if (scan_next(&two, &none, &key) && scan_next(&two, &none, &value))
			print_pair(key, value);
	}
	return STATUS_OK;
}

static int show_pair(const struct args *a, const struct call *call, const char *name)
{
	if (options.json)
		return show_nothing(a, call, name);
	print_pair(scan_get(call->result, "key"), scan_get(call->result, "value"));
	return STATUS_OK;
}

static int show_item(const struct args *a, const struct call *call, const char *name)
{
	if (a->own[FLAG_RAW]) {
		buf_span(&out, buf_view(&call->raw));
		return STATUS_OK;
	}
	payload_print_item(scan_get(call->result, name));
	buf_putc(&out, '\n');
	return STATUS_OK;
}

static int show_test(const struct args *a, const struct call *call, const char *name)
{
	show_nothing(a, call, name);
	return span_is(scan_get(call->result, name), "true") ? STATUS_OK : STATUS_FAILED;
}

/* A wait that answers false ran out. */
static int show_waited(const struct args *a, const struct call *call, const char *name)
{
	if (show_test(a, call, name) == STATUS_OK)
		return STATUS_OK;
	if (object_tries(a))
		return STATUS_WOULD_BLOCK;
	if (!options.quiet)
		say("%s %s: timed out", a->verb->name, a->words[0]);
	return STATUS_TIMEOUT;
}

static int show_object(const struct args *a, const struct call *call, const char *name)
{
	if (options.json)
		return show_nothing(a, call, name);
	text_object(&out, call->result);
	return STATUS_OK;
}

static const struct row rows[CMD_COUNT] = {
	[CMD_lock_acquire] = {show_token, "token"},      [CMD_lock_locked] = {show_test, "locked"},
	[CMD_rlock_acquire] = {show_token, "token"},     [CMD_rlock_locked] = {show_test, "locked"},
	[CMD_semaphore_acquire] = {show_token, "token"}, [CMD_semaphore_value] = {show_number, "value"},
	[CMD_event_wait] = {show_waited, "set"},         [CMD_event_is_set] = {show_test, "set"},
	[CMD_condition_acquire] = {show_token, "token"}, [CMD_condition_wait] = {show_waited, "notified"},
	[CMD_barrier_wait] = {show_number, "index"},     [CMD_barrier_info] = {show_object, NULL},
	[CMD_queue_size] = {show_number, "size"},        [CMD_queue_empty] = {show_test, "empty"},
	[CMD_queue_full] = {show_test, "full"},          [CMD_queue_peek] = {show_item, "item"},
	[CMD_queue_stats] = {show_object, NULL},         [CMD_pipe_recv] = {show_item, "item"},
	[CMD_pipe_poll] = {show_test, "ready"},          [CMD_value_get] = {show_payload, "value"},
	[CMD_value_add] = {show_payload, "value"},       [CMD_value_wait] = {show_payload, "value"},
	[CMD_value_lock] = {show_token, "token"},        [CMD_array_get] = {show_element, "value"},
	[CMD_array_len] = {show_number, "len"},          [CMD_dict_get] = {show_payload, "value"},
	[CMD_dict_pop] = {show_payload, "value"},        [CMD_dict_popitem] = {show_pair, NULL},
	[CMD_dict_setdefault] = {show_payload, "value"}, [CMD_dict_incr] = {show_payload, "value"},
	[CMD_dict_keys] = {show_lines, "keys"},          [CMD_dict_values] = {show_lines, "values"},
	[CMD_dict_items] = {show_pairs, "items"},        [CMD_dict_copy] = {show_payload, "items"},
	[CMD_dict_len] = {show_number, "len"},           [CMD_dict_contains] = {show_test, "contains"},
	[CMD_dict_has_key] = {show_test, "contains"},    [CMD_list_get] = {show_element, "value"},
	[CMD_list_pop] = {show_payload, "value"},        [CMD_list_index] = {show_number, "index"},
	[CMD_list_count] = {show_number, "count"},       [CMD_list_contains] = {show_test, "contains"},
	[CMD_list_len] = {show_number, "len"},           [CMD_namespace_get] = {show_payload, "value"},
	[CMD_namespace_dir] = {show_lines, "names"},
};

int show_answer(const struct args *a, const struct call *call)
{
	const struct row *row = &rows[call->cmd->id];
	return row->show ? row->show(a, call, row->member) : show_nothing(a, call, NULL);
}
