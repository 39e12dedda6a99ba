/* random_policy: policies by chance, of the host of lab_host.h: every type, operator and statement. */
#ifndef TESTS_RANDOM_POLICY_H
#define TESTS_RANDOM_POLICY_H

#include <stdlib.h>

#include "base/buf.h"

static struct buf random_text; /* the last one made */
static unsigned loops;         /* names of foreach in reach: e0 .. */
static bool in_method;

static unsigned roll(unsigned n)
{
	return (unsigned)rand() % n;
}

#define PICK(...)                                                                                  \
	(((const char *const[]){                                                                   \
	    __VA_ARGS__ })[roll(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))])

static void cond(unsigned depth);
static void string(unsigned depth);

static void number(unsigned depth)
{
	switch (roll(depth ? 11 : 4)) {
	case 0:
		buf_adds(&random_text,
		    PICK("0", "1", "2", "5.5", "-3", "0.001", "1000", "\"7\"", "9223372036854775"));
		break;
	case 1:
	case 2:
		buf_adds(&random_text, PICK("num", "num2", "small"));
		break;
	case 3:
		buf_adds(&random_text, in_method ? "q" : PICK("n0", "n1", "kept"));
		break;
	case 4:
	case 5:
	case 6:
		buf_adds(&random_text, "(");
		number(depth - 1);
		buf_adds(&random_text, PICK(" + ", " - ", " * ", " / "));
		/* Two constants would not be compared nor folded here. */
		buf_adds(&random_text, PICK("num", "num2", "small", "2", "3"));
		buf_adds(&random_text, ")");
		break;
	case 7:
		buf_adds(&random_text, "-(");
		number(depth - 1);
		buf_adds(&random_text, " + num)");
		break;
	case 8:
		buf_adds(
		    &random_text, PICK("count(names)", "count(boxes)", "octets / 1K", "span / 2s"));
		break;
	case 9:
		buf_adds(&random_text, PICK("length(", "number("));
		string(depth - 1);
		buf_adds(&random_text, ")");
		break;
	default:
		buf_adds(&random_text, "lookup(tn, ");
		string(depth - 1);
		buf_adds(&random_text, ")");
		break;
	}
}

static void string(unsigned depth)
{
	switch (roll(depth ? 7 : 3)) {
	case 0:
		buf_adds(&random_text,
		    PICK("\"\"", "\"a\"", "\"AB\"", "\"5\"", "\"0.5\"", "\"alpha\"", "\"x y\"",
			"\"a%%b\"", "\"\\x41\""));
		break;
	case 1:
		buf_adds(&random_text, PICK("text", "other", "kind", "said", "login"));
		break;
	case 2:
		if (loops)
			buf_addf(&random_text, "e%u", roll(loops));
		else
			buf_adds(&random_text, in_method ? "p" : PICK("t0", "t1"));
		break;
	case 3:
	case 4:
		buf_addf(&random_text, "\"%s%%%s%%%s%%%s%%\"", PICK("", "-", "x "),
		    PICK(
			"text", "num", "client", "flag", "names", "octets", "kilo", "span", "host"),
		    PICK("", ",", "%%"), PICK("other", "small", "kind", "num2", "login"));
		break;
	case 5:
		buf_adds(&random_text, "lower(");
		string(depth - 1);
		buf_adds(&random_text, ")");
		break;
	default:
		buf_adds(&random_text, "lookup(ts, ");
		string(depth - 1);
		buf_adds(&random_text, ")");
		break;
	}
}

static void measure(void)
{
	buf_adds(&random_text,
	    PICK("octets", "kilo", "octets + 1K", "octets - num", "2 * octets", "octets / 2",
		"kilo + 3", "num + octets"));
}

static void compare(unsigned depth)
{
	static const char *const marks[] = { " == ", " != ", " < ", " <= ", " > ", " >= " };

	switch (roll(7)) {
	case 0:
		buf_adds(&random_text, PICK("num", "small", "num2"));
		buf_adds(&random_text, marks[roll(6)]);
		number(depth);
		break;
	case 1:
		buf_adds(&random_text, PICK("text", "other", "kind", "names", "said"));
		buf_adds(&random_text, marks[roll(2)]);
		if (roll(4))
			buf_adds(&random_text, PICK("\"red\"", "\"green\"", "\"\""));
		else
			buf_adds(&random_text, PICK("text", "other", "kind"));
		break;
	case 2:
		measure();
		buf_adds(&random_text, marks[roll(6)]);
		buf_adds(&random_text, PICK("2048", "3K", "num", "octets", "kilo", "\"\"") + 0);
		break;
	case 3:
		buf_adds(&random_text, PICK("span", "span + 1", "span * 2"));
		buf_adds(&random_text, marks[roll(6)]);
		buf_adds(&random_text, PICK("5", "5s", "1m", "num", "span"));
		break;
	case 4:
		buf_adds(&random_text, "client");
		buf_adds(&random_text, marks[roll(2)]);
		buf_adds(&random_text, PICK("\"192.0.2.7\"", "client2", "\"\"", "\"::1\""));
		break;
	case 5:
		buf_adds(&random_text, PICK("flag", "flag2"));
		buf_adds(&random_text, marks[roll(2)]);
		buf_adds(&random_text, PICK("yes", "no", "flag", "flag2", "\"\""));
		break;
	default:
		buf_adds(&random_text, "host");
		buf_adds(&random_text, marks[roll(2)]);
		buf_adds(&random_text, PICK("\"mx.example.org\"", "\"\"", "text", "\"a.example\""));
		break;
	}
}

static void cond(unsigned depth)
{
	switch (roll(depth ? 9 : 5)) {
	case 0:
	case 1:
		compare(depth ? depth - 1 : 0);
		break;
	case 2:
		buf_adds(&random_text, PICK("flag", "flag2", "loggedIn"));
		break;
	case 3:
		buf_adds(&random_text,
		    PICK("num in [1, 2..6]", "small not in [0..5]", "text in [\"a\", \"Hello\"]",
			"names in [\"alpha\"]", "host in [\".example.org\"]",
			"client in [\"192.0.2.0/24\"]", "\"alpha\" in names", "text not in names",
			"kind in [\"red\", \"blue\"]", "octets in [1K..2K, 5]", "text in ts",
			"other in ts"));
		break;
	case 4:
		buf_adds(&random_text,
		    PICK("text matches \"h*\"", "text not matches [\"*o\", \"?b\"]",
			"names matches \"*a\"", "kind matches \"*e*\"", "said matches \"*a*b*\"",
			"\"%num%\" matches \"*.*\"", "matchCase(text, \"H*\")",
			"isCase(text, other)"));
		break;
	case 5:
	case 6:
		buf_adds(&random_text, "(");
		cond(depth - 1);
		buf_adds(&random_text, PICK(" and ", " or "));
		cond(depth - 1);
		buf_adds(&random_text, ")");
		break;
	case 7:
		buf_adds(&random_text, "not ");
		buf_adds(&random_text, "(");
		cond(depth - 1);
		buf_adds(&random_text, ")");
		break;
	default:
		buf_adds(&random_text, "anyof(");
		cond(depth - 1);
		buf_adds(&random_text, ", ");
		cond(depth - 1);
		buf_adds(&random_text, ")");
		break;
	}
}

static void statements(unsigned depth, unsigned count);

static void set(void)
{
	const char *name = PICK("num", "num2", "small", "octets", "kilo", "span", "text", "other",
	    "flag", "kind", "client", "why");

	buf_addf(&random_text, "set(%s, ", name);
	if (strstr("num num2 small octets kilo span", name)) {
		number(2);
		buf_adds(&random_text, " * num");
	} else if (strstr("text other why", name)) {
		string(2);
	} else if (strcmp(name, "flag") == 0) {
		buf_adds(&random_text, "(");
		cond(2);
		buf_adds(&random_text, ")");
	} else {
		buf_adds(&random_text,
		    name[0] == 'k' ? PICK("\"red\"", "\"blue\"", "\"\"", "kind")
				   : PICK("client2", "client", "\"192.0.2.9\"", "ip(text)"));
	}
	buf_adds(&random_text, "); ");
}

static void custom(void)
{
	if (roll(2)) {
		buf_addf(&random_text, "set(%s, ", PICK("n0", "n1", "kept"));
		number(2);
		buf_adds(&random_text, " + num); ");
	} else {
		buf_addf(&random_text, "set(%s, ", PICK("t0", "t1"));
		string(2);
		buf_adds(&random_text, "); ");
	}
	if (roll(4) == 0)
		buf_adds(&random_text, "export(kept); ");
}

static void statement(unsigned depth)
{
	unsigned kind = roll(depth ? 12 : 5);

	if (kind < 2 || (kind == 2 && in_method)) {
		set();
	} else if (kind == 2) {
		custom();
	} else if (kind < 5) {
		buf_adds(&random_text, "call(note, ");
		if (roll(2))
			number(1);
		else
			string(1);
		buf_adds(&random_text, "); ");
	} else if (kind < 8) {
		buf_adds(&random_text, "if (");
		cond(3);
		buf_adds(&random_text, ") { ");
		statements(depth - 1, 2);
		buf_adds(&random_text, "} ");
		if (roll(2)) {
			buf_adds(&random_text, "else if (");
			cond(2);
			buf_adds(&random_text, ") { ");
			statements(depth - 1, 2);
			buf_adds(&random_text, "} else { ");
			statements(depth - 1, 1);
			buf_adds(&random_text, "} ");
		}
	} else if (kind == 8) {
		buf_addf(&random_text, "switch (%s) { case \"red\", \"5\": ",
		    PICK("text", "other", "\"%num%%kind%\""));
		statements(depth - 1, 2);
		buf_adds(&random_text, "case \"\": ");
		statements(depth - 1, 1);
		buf_adds(&random_text, "default: ");
		statements(depth - 1, 1);
		buf_adds(&random_text, "} ");
	} else if (kind == 9 && loops < 2) {
		buf_addf(&random_text, "foreach e%u in %s { ", loops, PICK("names", "boxes"));
		loops++;
		statements(depth - 1, 2);
		loops--;
		buf_adds(&random_text, "} ");
	} else if (kind == 10 && !in_method) {
		buf_adds(&random_text, "call(m, ");
		string(1);
		buf_adds(&random_text, ", ");
		number(1);
		buf_adds(&random_text, "); ");
	} else if (roll(3) == 0) {
		buf_addf(&random_text, "%s ",
		    PICK("return;", "reject(\"%num% no\");", "accept();",
			"tmpreject(450, 4.7.1, \"l\");"));
	}
}

static void statements(unsigned depth, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		statement(depth);
}

static void random_program(void)
{
	random_text.n = 0;
	loops = 0;
	buf_adds(&random_text,
	    "table ts of string to string = [ \"a\" to \"b\", \"Hello\" to \"5\" ];\n"
	    "table tn of string to number = [ \"a\" to 1.5, \"b\" to -2, \"alpha\" to 3 ];\n");
	in_method = true;
	buf_adds(&random_text, "method m(p: string, q: number) { ");
	statements(2, 3);
	buf_adds(&random_text, "call(note, p); }\n");
	in_method = false;
	/* The first set() of each gives its type. */
	buf_adds(&random_text,
	    "event onC { set(n0, 0); set(n1, 0); set(kept, 1); set(t0, \"\"); set(t1, \"x\"); ");
	statements(3, 4);
	buf_adds(&random_text, "}\n");
	for (unsigned i = 0; i < 3; i++) {
		buf_addf(&random_text, "rule \"r%u\" priority %u at onC { when %s { ", i,
		    1 + roll(3), PICK("all", "any"));
		for (unsigned k = roll(3) + 1; k; k--) {
			cond(3);
			buf_adds(&random_text, "; ");
		}
		buf_adds(&random_text, "} then { ");
		statements(3, 2);
		buf_adds(&random_text, "} }\n");
	}
	buf_adds(&random_text, "event onC { call(note, \"%n0%,%n1%,%kept%,%t0%,%t1%\"); ");
	statements(2, 2);
	buf_adds(&random_text, "}\n");
}

#endif
