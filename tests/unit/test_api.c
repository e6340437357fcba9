/* SPDX-License-Identifier: MIT */
/* The registry holds together, the decoder takes what the types say and tells what it does not take. */
#include "common/api.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static struct fault fault;

/* Room for any command's arguments. */
union args {
	uint64_t given;
#define CMD(sym, name, flags, help) struct args_##sym sym;
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
};
static union args args;

static int release_arena(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* Decodes PARAMS for the command, after the check that every line passes first. */
static int decode(enum api_id id, const char *params)
{
	struct span value;
	struct scan_error error;
	assert_int_equal(scan_check(span_of(params), &value, &error), 0);
	memset(&args, 0xa5, sizeof(args));
	memset(&fault, 0, sizeof(fault));
	return api_decode(api_cmd(id), value, &arena, &args, &fault);
}

static void assert_text(struct span got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_string_equal(got.p, want);
}

/* --- the registry ------------------------------------------------------------------------------------------------ */

static bool is_help(const char *help) { return help && help[0] && help[strlen(help) - 1] != '.' && strlen(help) < 100; }

static void assert_arg(const struct api_cmd *cmd, const struct api_arg *arg)
{
	bool letters[128] = {false};
	assert_true(is_help(arg->help));
	assert_true(arg->offset >= sizeof(uint64_t) && arg->offset < cmd->size);
	assert_true(arg->type == API_BOOL || (arg->hint && arg->hint[0]));
	for (size_t i = 0; i < cmd->nargs; i++) {
		const struct api_arg *other = &cmd->args[i];
		assert_true(other == arg || strcmp(other->name, arg->name) != 0);
		assert_false(other->letter && letters[(unsigned char)other->letter & 127]);
		letters[(unsigned char)other->letter & 127] = true;
	}
}

static void every_command_holds_together(void **state)
{
	(void)state;
	for (int id = 0; id < CMD_COUNT; id++) {
		const struct api_cmd *cmd = api_cmd((enum api_id)id);
		assert_int_equal(cmd->id, id);
		assert_ptr_equal(api_find(span_of(cmd->name)), cmd);
		assert_string_equal(api_nearest(span_of(cmd->name)), cmd->name);
		assert_true(is_help(cmd->help) && cmd->size <= sizeof(args));
		for (size_t i = 0; i < cmd->nargs; i++)
			assert_arg(cmd, &cmd->args[i]);
	}
}

static void names_are_found_exactly_or_nearly(void **state)
{
	(void)state;
	assert_null(api_find(SPAN("process.joi")));
	assert_null(api_find(SPAN("Process.join")));
	assert_null(api_find(SPAN("")));
	assert_string_equal(api_nearest(SPAN("proces.join")), "process.join");
	assert_string_equal(api_nearest(SPAN("mpd.pign")), "mpd.ping");
	assert_null(api_nearest(SPAN("frobnicate.everything")));
}

static void choices_are_counted_through(void **state)
{
	(void)state;
	const struct api_arg arg = {.hint = "tree|group|process"};
	assert_true(span_is(api_choice(&arg, 0), "tree"));
	assert_true(span_is(api_choice(&arg, 1), "group"));
	assert_true(span_is(api_choice(&arg, 2), "process"));
	assert_null(api_choice(&arg, 3).p);
	assert_null(api_choice(&arg, 99).p);
}

static void descriptions_are_json(void **state)
{
	(void)state;
	AUTO_BUF out = BUF_INIT;
	struct span value, method, params, key, param;
	struct scan_error error;
	api_describe_all(&out);
	assert_int_equal(scan_check(buf_view(&out), &value, &error), 0);
	assert_int_equal(scan_count(scan_get(value, "methods")), CMD_COUNT);
	assert_int_equal(scan_count(scan_get(value, "errors")), fault_count());
	buf_clear(&out, 0);
	api_describe(api_cmd(CMD_process_start), &out);
	assert_int_equal(scan_check(buf_view(&out), &method, &error), 0);
	assert_true(span_is(scan_get(method, "method"), "\"process.start\""));
	assert_int_equal(scan_type(scan_get(method, "blocks")), SCAN_TRUE);
	assert_int_equal(scan_type(scan_get(method, "admin")), SCAN_NONE);
	params = scan_get(method, "params");
	assert_int_equal(scan_count(params), api_cmd(CMD_process_start)->nargs);
	struct scan_iter it = scan_iter(params);
	assert_true(scan_next(&it, &key, &param));
	assert_true(span_is(scan_get(param, "name"), "\"argv\""));
	assert_int_equal(scan_type(scan_get(param, "required")), SCAN_TRUE);
}

/* --- what is taken ----------------------------------------------------------------------------------------------- */

static void no_params_are_params(void **state)
{
	(void)state;
	assert_int_equal(api_decode(api_cmd(CMD_mpd_ping), (struct span){NULL, 0}, &arena, &args, &fault), 0);
	assert_int_equal(decode(CMD_mpd_ping, "{}"), 0);
	assert_int_equal(decode(CMD_mpd_ping, "null"), 0);
	assert_int_equal(args.given, 0);
}

static void every_type_is_decoded(void **state)
{
	(void)state;
	assert_int_equal(
		decode(CMD_process_start,
		       "{\"argv\": [\"echo\", \"a\\tb\", {\"b64\": \"/w==\"}], \"name\": \"web\", \"processes\": 3,"
		       " \"daemon\": true, \"parent\": {\"pid\": 7}, \"context\": \"fork\", \"umask\": 18,"
		       " \"env\": {\"A\": \"1\", \"B\": \"\"}, \"stop_signal\": \"SIGINT\", \"stop_timeout\": 1.5,"
		       " \"kill_mode\": \"process\", \"cwd\": \"/\", \"stdin\": \"null\"}"),
		0);
	const struct args_process_start *a = &args.process_start;
	assert_int_equal(a->argv.n, 3);
	assert_text(a->argv.v[0], "echo");
	assert_text(a->argv.v[1], "a\tb");
	assert_text(a->argv.v[2], "\xff");
	assert_text(a->name, "web");
	assert_int_equal(a->processes, 3);
	assert_true(a->daemon);
	assert_true(span_is(a->parent, "{\"pid\": 7}"));
	assert_int_equal(a->context, 1);
	assert_int_equal(a->umask, 18);
	assert_int_equal(a->env.n, 2);
	assert_text(a->env.v[0], "A=1");
	assert_text(a->env.v[1], "B=");
	assert_int_equal(a->stop_signal, SIGINT);
	assert_int_equal(a->stop_timeout, NSEC_PER_SEC * 3 / 2);
	assert_int_equal(a->kill_mode, 2);
	assert_text(a->cwd, "/");
	assert_true(span_is(a->stdin, "\"null\""));
	assert_true(GIVEN(a, process_start, argv) && GIVEN(a, process_start, stdin));
	assert_false(GIVEN(a, process_start, stdout) || GIVEN(a, process_start, limit));
	assert_int_equal(a->stderr.n, 0);
}

static void null_is_not_given(void **state)
{
	(void)state;
	assert_int_equal(decode(CMD_process_join, "{\"targets\": \"web\", \"timeout\": null, \"any\": false}"), 0);
	assert_false(GIVEN(&args.process_join, process_join, timeout));
	assert_true(GIVEN(&args.process_join, process_join, any));
	assert_false(args.process_join.any);
	assert_int_equal(decode(CMD_process_join, "{\"targets\": null}"), FAULT_PARAMS);
	assert_string_equal(fault.message, "missing parameter \"targets\"");
}

static void one_string_is_an_array_of_one(void **state)
{
	(void)state;
	assert_int_equal(decode(CMD_process_join, "{\"targets\": \"we\\u0062\"}"), 0);
	assert_int_equal(args.process_join.targets.n, 1);
	assert_text(args.process_join.targets.v[0], "web");
	assert_int_equal(decode(CMD_process_join, "{\"targets\": []}"), 0);
	assert_int_equal(args.process_join.targets.n, 0);
	assert_true(GIVEN(&args.process_join, process_join, targets));
}

static void names_may_be_escaped(void **state)
{
	(void)state;
	assert_int_equal(decode(CMD_process_join, "{\"t\\u0061rgets\": [\"a\", \"b\"], \"\\u0061ny\": true}"), 0);
	assert_int_equal(args.process_join.targets.n, 2);
	assert_true(args.process_join.any);
}

static void environments_come_as_arrays_too(void **state)
{
	(void)state;
	const char *params = "{\"argv\": [\"x\"], \"env\": [\"A=1\", \"B=x=y\", {\"b64\": \"Qz3/\"}, \"D=\"]}";
	assert_int_equal(decode(CMD_process_start, params), 0);
	const struct spans *env = &args.process_start.env;
	assert_int_equal(env->n, 4);
	assert_text(env->v[0], "A=1");
	assert_text(env->v[1], "B=x=y");
	assert_text(env->v[2], "C=\xff");
	assert_text(env->v[3], "D=");
	assert_int_equal(decode(CMD_process_start, "{\"argv\": [\"x\"], \"env\": {\"A\": {\"b64\": \"/w==\"}}}"), 0);
	assert_text(env->v[0], "A=\xff");
}

static void signals_come_as_names_and_numbers(void **state)
{
	(void)state;
	static const char *const good[] = {"\"TERM\"", "\"SIGTERM\"", "15", "\"15\"", "\"sigterm\""};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char params[64] = "{\"signal\": ";
		strcat(strcat(params, good[i]), "}");
		assert_int_equal(decode(CMD_process_signal, params), 0);
		assert_int_equal(args.process_signal.signal, SIGTERM);
	}
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

#define START "{\"argv\": [\"x\"], "

static void wrong_params_are_told(void **state)
{
	(void)state;
	static const struct {
		enum api_id id;
		const char *params, *message;
	} cases[] = {
		{CMD_process_join, "{\"targets\": \"a\", \"timout\": 1}",
		 "unknown parameter \"timout\" (did you mean \"timeout\"?)"},
		{CMD_process_join, "{\"targets\": \"a\", \"Timeout\": 1}",
		 "unknown parameter \"Timeout\" (did you mean \"timeout\"?)"},
		{CMD_process_join, "{\"targets\": \"a\", \"zzz\": 1}", "unknown parameter \"zzz\""},
		{CMD_process_join, "{\"targets\": \"a\", \"zzz\": null}", "unknown parameter \"zzz\""},
		{CMD_mpd_ping, "{\"x\": 1}", "unknown parameter \"x\""},
		{CMD_process_join, "{}", "missing parameter \"targets\""},
		{CMD_process_join, "{\"targets\": \"a\", \"timeout\": \"x\"}",
		 "parameter \"timeout\": must be a number of seconds >= 0"},
		{CMD_process_join, "{\"targets\": \"a\", \"timeout\": -1}",
		 "parameter \"timeout\": must be a number of seconds >= 0"},
		{CMD_process_join, "{\"targets\": 7}",
		 "parameter \"targets\": must be a string or an array of strings"},
		{CMD_process_join, "{\"targets\": [7]}",
		 "parameter \"targets\": must be a string or an array of strings"},
		{CMD_process_join, "{\"targets\": [\"a\\u0000b\"]}", "parameter \"targets\": must not contain a NUL"},
		{CMD_process_join, "{\"targets\": \"a\", \"any\": 1}", "parameter \"any\": must be true or false"},
		{CMD_process_join, "[\"a\", 1]",
		 "params must be an object: parameters are given by name, not by position"},
		{CMD_process_join, "[]", "params must be an object: parameters are given by name, not by position"},
		{CMD_process_join, "7", "params must be an object"},
		{CMD_process_join, "\"a\"", "params must be an object"},
		{CMD_process_start, "{\"argv\": []}",
		 "parameter \"argv\": must be an array of at least one string or {\"b64\": \"...\"}"},
		{CMD_process_start, "{\"argv\": \"ls\"}",
		 "parameter \"argv\": must be an array of at least one string or {\"b64\": \"...\"}"},
		{CMD_process_start, "{\"argv\": [[\"ls\"]]}",
		 "parameter \"argv\": must be an array of at least one string or {\"b64\": \"...\"}"},
		{CMD_process_start, "{\"argv\": [{\"b64\": \"AA==\"}]}", "parameter \"argv\": must not contain a NUL"},
		{CMD_process_start, START "\"name\": 7}", "parameter \"name\": must be a string"},
		{CMD_process_start, START "\"name\": {\"b64\": \"QQ==\"}}", "parameter \"name\": must be a string"},
		{CMD_process_start, START "\"cwd\": 7}", "parameter \"cwd\": must be a string or {\"b64\": \"...\"}"},
		{CMD_process_start, START "\"processes\": 1.5}",
		 "parameter \"processes\": must be a whole number of at most 64 bits"},
		{CMD_process_start, START "\"processes\": 9223372036854775808}",
		 "parameter \"processes\": must be a whole number of at most 64 bits"},
		{CMD_process_start, START "\"context\": \"forkserver\"}",
		 "parameter \"context\": must be one of spawn|fork"},
		{CMD_process_start, START "\"context\": \"spawn|fork\"}",
		 "parameter \"context\": must be one of spawn|fork"},
		{CMD_process_start, START "\"context\": \"\"}", "parameter \"context\": must be one of spawn|fork"},
		{CMD_process_start, START "\"context\": 1}", "parameter \"context\": must be one of spawn|fork"},
		{CMD_process_start, START "\"stop_signal\": \"FOO\"}",
		 "parameter \"stop_signal\": must be the name or number of a signal"},
		{CMD_process_start, START "\"stop_signal\": 0}",
		 "parameter \"stop_signal\": must be the name or number of a signal"},
		{CMD_process_start, START "\"stop_signal\": 65}",
		 "parameter \"stop_signal\": must be the name or number of a signal"},
		{CMD_process_start, START "\"stop_signal\": true}",
		 "parameter \"stop_signal\": must be the name or number of a signal"},
		{CMD_process_start, START "\"env\": 7}",
		 "parameter \"env\": must be {\"NAME\": \"VALUE\"} or [\"NAME=VALUE\"]"},
		{CMD_process_start, START "\"env\": \"A=1\"}",
		 "parameter \"env\": must be {\"NAME\": \"VALUE\"} or [\"NAME=VALUE\"]"},
		{CMD_process_start, START "\"env\": {\"A\": 1}}",
		 "parameter \"env\": must be {\"NAME\": \"VALUE\"} or [\"NAME=VALUE\"]"},
		{CMD_process_start, START "\"env\": {\"\": \"1\"}}", "parameter \"env\": must not have an empty name"},
		{CMD_process_start, START "\"env\": {\"A=B\": \"1\"}}",
		 "parameter \"env\": must not have \"=\" in a name"},
		{CMD_process_start, START "\"env\": {\"A\\u003dB\": \"1\"}}",
		 "parameter \"env\": must not have \"=\" in a name"},
		{CMD_process_start, START "\"env\": {\"A\\u0000\": \"1\"}}",
		 "parameter \"env\": must not contain a NUL"},
		{CMD_process_start, START "\"env\": {\"A\": \"\\u0000\"}}",
		 "parameter \"env\": must not contain a NUL"},
		{CMD_process_start, START "\"env\": [\"=1\"]}", "parameter \"env\": must not have an empty name"},
		{CMD_process_start, START "\"env\": [\"A\"]}",
		 "parameter \"env\": must have \"NAME=VALUE\" in its array"},
		{CMD_process_start, START "\"env\": [\"A=\\u0000\"]}", "parameter \"env\": must not contain a NUL"},
		{CMD_process_start, START "\"env\": [1]}",
		 "parameter \"env\": must be {\"NAME\": \"VALUE\"} or [\"NAME=VALUE\"]"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(decode(cases[i].id, cases[i].params), FAULT_PARAMS);
		assert_int_equal(fault.code, FAULT_PARAMS);
		assert_string_equal(fault.message, cases[i].message);
	}
}

static void too_many_strings_are_refused(void **state)
{
	(void)state;
	AUTO_BUF params = BUF_INIT;
	buf_puts(&params, "{\"targets\": [\"a\"");
	for (int i = 0; i < 65536; i++)
		buf_puts(&params, ",\"a\"");
	buf_puts(&params, "]}");
	assert_int_equal(decode(CMD_process_join, buf_str(&params)), FAULT_PARAMS);
	assert_string_equal(fault.message, "parameter \"targets\": must have at most 65536 elements");
}

static void a_huge_unknown_name_is_cut(void **state)
{
	(void)state;
	char params[4096];
	memset(params, 'x', sizeof(params));
	memcpy(params, "{\"", 2);
	memcpy(params + sizeof(params) - 6, "\": 1}", 6);
	assert_int_equal(decode(CMD_process_join, params), FAULT_PARAMS);
	assert_int_equal(strlen(fault.message), sizeof(fault.message) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_holds_together),
		cmocka_unit_test(names_are_found_exactly_or_nearly),
		cmocka_unit_test(choices_are_counted_through),
		cmocka_unit_test(descriptions_are_json),
		cmocka_unit_test(no_params_are_params),
		cmocka_unit_test(every_type_is_decoded),
		cmocka_unit_test(null_is_not_given),
		cmocka_unit_test(one_string_is_an_array_of_one),
		cmocka_unit_test(names_may_be_escaped),
		cmocka_unit_test(environments_come_as_arrays_too),
		cmocka_unit_test(signals_come_as_names_and_numbers),
		cmocka_unit_test(wrong_params_are_told),
		cmocka_unit_test(too_many_strings_are_refused),
		cmocka_unit_test(a_huge_unknown_name_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, release_arena);
}
