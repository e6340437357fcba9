/* SPDX-License-Identifier: MIT */
/* common/ini: what inih would spoil comes through whole, and every line that is wrong is told with its number. */
#include "common/ini.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What is told, as text: `1[section] 2key=value 3!error`, without the error's words. */
struct told {
	struct buf text, errors;
};

static void on_section(void *arg, unsigned line, struct span name)
{
	struct told *t = arg;
	assert_int_equal(strlen(name.p), name.n);
	buf_printf(&t->text, "%u[%s] ", line, name.p);
}

static void on_value(void *arg, unsigned line, struct span key, struct span value)
{
	struct told *t = arg;
	assert_int_equal(strlen(key.p), key.n);
	assert_int_equal(strlen(value.p), value.n);
	buf_printf(&t->text, "%u%s=%s ", line, key.p, value.p);
}

static void on_error(void *arg, unsigned line, const char *what)
{
	struct told *t = arg;
	buf_printf(&t->text, "%u! ", line);
	buf_printf(&t->errors, "%u: %s\n", line, what);
}

static const struct ini_sink sink = {on_section, on_value, on_error};

static void read_span(struct span text, struct told *ret)
{
	*ret = (struct told){BUF_INIT, BUF_INIT};
	assert_int_equal(ini_read(text, &sink, ret), 0);
}

static void told_done(struct told *t)
{
	buf_done(&t->text);
	buf_done(&t->errors);
}

static void tells_span(struct span text, const char *expected)
{
	struct told t;
	read_span(text, &t);
	assert_string_equal(buf_str(&t.text), expected);
	told_done(&t);
}
static void tells(const char *text, const char *expected) { tells_span(span_of(text), expected); }

/* TEXT has this one error. */
static void refuses(const char *text, const char *error)
{
	struct told t;
	read_span(span_of(text), &t);
	assert_string_equal(buf_str(&t.errors), error);
	told_done(&t);
}

static void plain_lines(void **state)
{
	(void)state;
	tells("", "");
	tells("\n\n", "");
	tells("[a]\nb = c\n", "1[a] 2b=c ");
	tells("[a]\n[b]\n\n[a]\n", "1[a] 2[b] 4[a] ");
	tells("[a]\nb=c=d\nb =\nb=   \n", "1[a] 2b=c=d 3b= 4b= ");
	tells("[job:a b] \t\nx.y-Z_9 \t=\t v  w \t\n", "1[job:a b] 2x.y-Z_9=v  w ");
	tells("[a]\nb: c = d\n", "1[a] 2! ");
}

static void empty_after_long(void **state)
{
	(void)state;
	tells("[a]\nb = something\nc =\nd=e\n", "1[a] 2b=something 3c= 4d=e ");
}

static void comments(void **state)
{
	(void)state;
	tells("; one\n# two\n  ; three\n\t# four\n[a]\n;b=c\nd=e\n", "5[a] 7d=e ");
	tells("[a]\nb = c ; d\ne = f # g\nh = ;i\nj = #k\n", "1[a] 2b=c ; d 3e=f # g 4h=;i 5j=#k ");
}

static void ends_of_lines(void **state)
{
	(void)state;
	tells("[a]\r\nb = c\r\n\r\nd = e", "1[a] 2b=c 4d=e ");
	tells("[a]\nb = c\rd\r\n", "1[a] 2b=c\rd ");
	tells("[a]\nb = c\r", "1[a] 2b=c ");
	tells("\xef\xbb\xbf[a]\nb=c", "1[a] 2b=c ");
	tells("\xef\xbb\xbf", "");
	tells("[a]\n\xef\xbb\xbf[b]\n", "1[a] 2! ");
}

static void errors(void **state)
{
	(void)state;
	refuses("a = b\n[c]\n", "1: the key stands before the first section\n");
	refuses("[a]\n\nb\n", "3: neither \"[section]\" nor \"key = value\"\n");
	refuses("[a]\n = b\n", "2: the line begins with white space (there are no continuation lines)\n");
	refuses("[a]\nb = c\n\td = e\n", "3: the line begins with white space (there are no continuation lines)\n");
	refuses("[a]\n= b\n", "2: there is no key before \"=\"\n");
	refuses("[a]\nb c = d\n", "2: a key is made of letters, digits, \"_\", \"-\" and \".\"\n");
	refuses("[a]\nb\xc3\xa4 = d\n", "2: a key is made of letters, digits, \"_\", \"-\" and \".\"\n");
	refuses("[a\n", "1: \"]\" is missing\n");
	refuses("[]\n", "1: the section has no name\n");
	refuses("[a] ; b\n", "1: there is text behind \"]\" (a comment stands on a line of its own)\n");
	refuses("[a[b]\n", "1: the section's name holds \"[\" or a control character\n");
	refuses("[a\tb]\n", "1: the section's name holds \"[\" or a control character\n");
}

static void nul_bytes(void **state)
{
	(void)state;
	tells_span(SPAN("[a]\nb = c\0d\ne = f\n"), "1[a] 2! 3e=f ");
	tells_span(SPAN("; comment\0\n[a\0]\n"), "1! 2! ");
	tells_span(SPAN("\0"), "1! ");
}

static void all_errors_of_a_file(void **state)
{
	(void)state;
	tells("x = y\n[a]\nb\n c\n[d\ne = f\n]\n[g]\nh = i\n", "1! 2[a] 3! 4! 5! 7! 8[g] 9h=i ");
}

/* What stands behind a broken section line belongs to no section, least of all to the one before. */
static void nothing_of_a_broken_section(void **state)
{
	(void)state;
	tells("[a]\nuser = nobody\n[b\nuser = root\n", "1[a] 2user=nobody 3! ");
}

static void long_names(void **state)
{
	(void)state;
	char name[INI_SECTION_MAX + 2], text[600], expected[600];
	for (size_t n = 40; n <= INI_KEY_MAX + 1; n++) {
		memset(name, 'k', n);
		name[n] = '\0';
		snprintf(text, sizeof(text), "[s]\n%s = %s\n", name, name);
		snprintf(expected, sizeof(expected), "1[s] 2%s=%s ", name, name);
		tells(text, n <= INI_KEY_MAX ? expected : "1[s] 2! ");
	}
	for (size_t n = 40; n <= INI_SECTION_MAX + 1; n++) {
		memset(name, 's', n);
		name[n] = '\0';
		snprintf(text, sizeof(text), "[%s]\na = b\n", name);
		snprintf(expected, sizeof(expected), "1[%s] 2a=b ", name);
		tells(text, n <= INI_SECTION_MAX ? expected : "1! ");
	}
}

/* Around every length at which inih would cut, with a value that looks like another key there. */
static void lines_of_any_length(void **state)
{
	(void)state;
	for (size_t n = 1; n < 1300; n++) {
		AUTO_BUF text = BUF_INIT, expected = BUF_INIT, value = BUF_INIT;
		for (size_t i = 0; i < n; i++)
			buf_putc(&value, "user=root ;%41 "[i * 7 % 14]);
		value.p[0] = value.p[n - 1] = 'x';
		buf_printf(&text, "[a]\ndescription = %s\nlast = 1\n", value.p);
		buf_printf(&expected, "1[a] 2description=%s 3last=1 ", value.p);
		tells_span(buf_view(&text), buf_str(&expected));
	}
}

static void every_byte(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char text[] = "[a]\nb = x?y\nc=d\n", expected[] = "1[a] 2b=x?y 3c=d ";
		if (byte == '\n')
			continue;
		*strchr(text, '?') = (char)byte;
		*strchr(expected, '?') = (char)byte;
		tells(text, expected);
	}
}

static void large_value(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT, expected = BUF_INIT;
	buf_puts(&text, "[a]\nb = <");
	buf_puts(&expected, "1[a] 2b=<");
	for (size_t i = 0; i < 65536; i++) {
		char c = (char)(i % 255 + 1);
		buf_putc(&text, c == '\n' ? '_' : c);
		buf_putc(&expected, c == '\n' ? '_' : c);
	}
	buf_puts(&text, ">\nc\n");
	buf_puts(&expected, "> 3! ");
	tells_span(buf_view(&text), buf_str(&expected));
}

static void line_numbers_far_down(void **state)
{
	(void)state;
	AUTO_BUF text = BUF_INIT;
	for (int i = 0; i < 99999; i++)
		buf_puts(&text, i % 3 ? "\n" : "# comment\r\n");
	buf_puts(&text, "[a]\nwrong");
	tells_span(buf_view(&text), "100000[a] 100001! ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_lines),
		cmocka_unit_test(empty_after_long),
		cmocka_unit_test(comments),
		cmocka_unit_test(ends_of_lines),
		cmocka_unit_test(errors),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(all_errors_of_a_file),
		cmocka_unit_test(nothing_of_a_broken_section),
		cmocka_unit_test(long_names),
		cmocka_unit_test(lines_of_any_length),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(large_value),
		cmocka_unit_test(line_numbers_far_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
