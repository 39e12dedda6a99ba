/*
 * mailload: asks an IMAP or POP3 server on 127.0.0.1 and measures how long the answers take.
 *
 *     mailload MODE -p PORT [-t] [-u USER] [-w PASSWORD] [-m MAILBOX] [-n COUNT] [-c CLIENTS] [-s OCTETS]
 *              [-U USERS] [-f FIRST] [-x COMMAND] [-y COMMAND] [-q SMTP_PORT]
 *
 *     login    COUNT logins, by CLIENTS at a time, as USERS from FIRST on: a second
 *     fill     COUNT messages of OCTETS into MAILBOX, a hundred an APPEND: a second
 *     append   COUNT messages, one an APPEND, by CLIENTS at a time, into INBOX of as many users: a second
 *     times    COMMAND (and the other, in turns) COUNT times in MAILBOX: ms of the first, median of all others
 *     each     COMMAND with the numbers 1 to COUNT, one by one: a second
 *     wake     one idles in MAILBOX, one changes a flag there COUNT times: median ms until the idle one hears
 *     deliver  one idles in INBOX, COUNT messages come by SMTP: median ms until the idle one hears
 *     pop      login, UIDL and RETR of all, COUNT times: median ms
 *     idle     COUNT sessions in IDLE, as USERS; says "ready" and stays until standard input ends
 *
 * -t: under TLS, never resumed. A user without "@" is "u" and a number.
 */
#include "wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE    8192
#define HEAD    400
#define AT_ONCE 100 /* messages of one APPEND */
#define REPEATS 10000
#define DOMAIN  "bench.test"

static int port, smtp_port, count = 1, clients = 1, octets = 2048, users = 1, first;
static const char *user = "u0@" DOMAIN, *password = "secret", *mailbox = "INBOX", *command, *other;
static SSL_CTX *tls;
static _Atomic int next;
static double took[REPEATS];

/* ---- a session ---- */

static void talk(struct wire *w, const char *text, char *line)
{
	char mark[8];

	snprintf(mark, sizeof mark, "%.4s ", text); /* every tag here has four octets */
	wire_send(w, text, strlen(text));
	wire_until(w, mark, line, LINE);
	if (strncmp(line + 5, "OK", 2) != 0)
		fail(text, line);
}

static void greet(struct wire *w)
{
	char line[LINE];

	wire_open(w, port);
	if (tls)
		wire_secure(w, tls);
	wire_line(w, line, sizeof line);
}

static void login(struct wire *w, const char *name)
{
	char text[LINE], line[LINE];

	greet(w);
	snprintf(text, sizeof text, "log1 LOGIN %s %s\r\n", name, password);
	talk(w, text, line);
}

static void login_number(struct wire *w, int number)
{
	char name[100];

	snprintf(name, sizeof name, "u%d@" DOMAIN, number);
	login(w, name);
}

static void choose(struct wire *w)
{
	char text[LINE], line[LINE];

	snprintf(text, sizeof text, "sel1 SELECT %s\r\n", mailbox);
	talk(w, text, line);
}

static void logout(struct wire *w)
{
	char line[LINE];

	talk(w, "bye1 LOGOUT\r\n", line);
	wire_close(w);
}

static struct wire *wire_new(void)
{
	return calloc(1, sizeof(struct wire));
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, compare);
	return n ? values[n / 2] * 1000 : 0;
}

static double in_parallel(void *(*work)(void *))
{
	pthread_t *threads = calloc((size_t)clients, sizeof *threads);
	double start = now();

	for (intptr_t i = 0; i < clients; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return now() - start;
}

/* ---- messages ---- */

/* Number i; the words needle<i> stand in its subject and its text. */
static size_t message_write(char *to, int i)
{
	static const char line[] =
	    "the quick delivery of mail is a pleasure to all who wait for it here\r\n";
	int n = snprintf(to, HEAD,
	    "From: Sender %d <sender%d@elsewhere.test>\r\nTo: <%s>\r\n"
	    "Subject: message about needle%d and other things\r\nMessage-ID: <%d.%ld@bench.test>\r\n"
	    "Date: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\nneedle%d is in here\r\n",
	    i % 97, i % 97, user, i, i, (long)getpid(), i);
	size_t at = (size_t)n;

	while (at < (size_t)octets) {
		memcpy(to + at, line, sizeof line - 1);
		at += sizeof line - 1;
	}
	return at;
}

/* One APPEND of n messages, sent without waiting (RFC 7888, RFC 3502). */
static void append(struct wire *w, int from, int n)
{
	char *message = malloc(HEAD + (size_t)octets + LINE), text[LINE], line[LINE];

	snprintf(text, sizeof text, "app1 APPEND %s", mailbox);
	wire_send(w, text, strlen(text));
	for (int i = 0; i < n; i++) {
		size_t size = message_write(message, from + i);

		snprintf(text, sizeof text, " {%zu+}\r\n", size);
		wire_send(w, text, strlen(text));
		wire_send(w, message, size);
	}
	wire_send(w, "\r\n", 2);
	free(message);
	wire_until(w, "app1 ", line, sizeof line);
	if (strncmp(line, "app1 OK", 7) != 0)
		fail("APPEND", line);
}

/* ---- modes ---- */

static void *login_work(void *context)
{
	struct wire *w = wire_new();
	int i;

	(void)context;
	while ((i = next++) < count) {
		login_number(w, first + i % users);
		logout(w);
	}
	free(w);
	return NULL;
}

static void *append_work(void *context)
{
	struct wire *w = wire_new();
	int i;

	login_number(w, first + (int)(intptr_t)context);
	while ((i = next++) < count)
		append(w, i, 1);
	logout(w);
	free(w);
	return NULL;
}

static void run_login(void)
{
	printf("rate %.1f\n", count / in_parallel(login_work));
}

static void run_append(void)
{
	printf("rate %.1f\n", count / in_parallel(append_work));
}

static void run_fill(void)
{
	struct wire *w = wire_new();
	char text[LINE], line[LINE];

	login(w, user);
	if (strcmp(mailbox, "INBOX") != 0) {
		snprintf(text, sizeof text, "cre1 CREATE %s\r\n", mailbox);
		talk(w, text, line);
	}
	double start = now();
	for (int i = 0; i < count; i += AT_ONCE)
		append(w, i + 1, count - i < AT_ONCE ? count - i : AT_ONCE);
	printf("rate %.1f\n", count / (now() - start));
	logout(w);
}

static void run_times(void)
{
	struct wire *w = wire_new();
	char text[LINE], line[LINE];

	login(w, user);
	if (strncmp(command, "SELECT", 6) != 0)
		choose(w);
	for (int i = 0; i < count && i < REPEATS; i++) {
		snprintf(text, sizeof text, "run1 %s\r\n", i % 2 && other ? other : command);
		double start = now();
		talk(w, text, line);
		took[i] = now() - start;
	}
	double before = took[0] * 1000;
	printf("first %.3f later %.3f\n", before, count > 1 ? median(took + 1, count - 1) : before);
	logout(w);
}

static void run_each(void)
{
	struct wire *w = wire_new();
	char text[LINE], line[LINE];

	login(w, user);
	choose(w);
	double start = now();
	for (int i = 1; i <= count; i++) {
		int n = snprintf(text, sizeof text, "run1 ");

		n += snprintf(text + n, sizeof text - (size_t)n, command, i);
		snprintf(text + n, sizeof text - (size_t)n, "\r\n");
		talk(w, text, line);
	}
	printf("rate %.1f\n", count / (now() - start));
	logout(w);
}

static struct wire *idler_new(void)
{
	struct wire *w = wire_new();
	char line[LINE];

	login(w, user);
	choose(w);
	wire_send(w, "idl1 IDLE\r\n", 11);
	wire_until(w, "+ ", line, sizeof line);
	return w;
}

static void run_wake(void)
{
	struct wire *idler = idler_new(), *w = wire_new();
	char line[LINE];

	login(w, user);
	choose(w);
	for (int i = 0; i < count; i++) {
		usleep(20000);
		double start = now();
		talk(w,
		    i % 2 ? "sto1 STORE 1 -FLAGS.SILENT (\\Answered)\r\n"
			  : "sto1 STORE 1 +FLAGS.SILENT (\\Answered)\r\n",
		    line);
		wire_until(idler, "* 1 FETCH", line, sizeof line);
		took[i] = now() - start;
	}
	printf("median %.3f\n", median(took, count));
}

static void smtp_say(struct wire *w, const char *text, const char *code)
{
	char line[LINE];

	wire_send(w, text, strlen(text));
	wire_until(w, code, line, sizeof line);
}

static void smtp_begin(struct wire *w)
{
	wire_open(w, smtp_port);
	smtp_say(w, "", "220 ");
	smtp_say(w, "EHLO client.bench.test\r\n", "250 ");
}

static void run_deliver(void)
{
	struct wire *idler = idler_new(), *w = wire_new();
	char *message = malloc(HEAD + (size_t)octets + LINE), text[LINE], line[LINE];

	smtp_begin(w);
	for (int i = 0; i < count; i++) {
		usleep(20000);
		smtp_say(w, "MAIL FROM:<sender@elsewhere.test>\r\n", "250 ");
		snprintf(text, sizeof text, "RCPT TO:<%s>\r\n", user);
		smtp_say(w, text, "250 ");
		smtp_say(w, "DATA\r\n", "354 ");
		size_t n = message_write(message, i);
		memcpy(message + n, ".\r\n", 4);
		double start = now();
		smtp_say(w, message, "250 ");
		do
			wire_line(idler, line, sizeof line);
		while (!strstr(line, "EXISTS"));
		took[i] = now() - start;
	}
	printf("median %.3f\n", median(took, count));
}

static double pop_once(struct wire *w)
{
	char text[LINE], line[LINE];
	double start = now();
	long messages;

	wire_open(w, port);
	smtp_say(w, "", "+OK");
	snprintf(text, sizeof text, "USER %s\r\n", user);
	smtp_say(w, text, "+OK");
	snprintf(text, sizeof text, "PASS %s\r\n", password);
	smtp_say(w, text, "+OK");
	wire_send(w, "STAT\r\n", 6);
	wire_line(w, line, sizeof line);
	messages = strtol(line + 4, NULL, 10);
	smtp_say(w, "UIDL\r\n", ".");
	for (long i = 1; i <= messages; i++) {
		snprintf(text, sizeof text, "RETR %ld\r\n", i);
		smtp_say(w, text, ".");
	}
	smtp_say(w, "QUIT\r\n", "+OK");
	wire_close(w);
	if (messages == 0)
		fail("STAT", line);
	return now() - start;
}

static void run_pop(void)
{
	struct wire *w = wire_new();

	for (int i = 0; i < count; i++)
		took[i] = pop_once(w);
	printf("median %.3f\n", median(took, count));
}

static void run_idle(void)
{
	char line[LINE], c;

	for (int i = 0; i < count; i++) {
		struct wire *w = wire_new();

		login_number(w, first + i % users);
		choose(w);
		wire_send(w, "idl1 IDLE\r\n", 11);
		wire_until(w, "+ ", line, sizeof line);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	_exit(0);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{ "login", run_login },
	{ "fill", run_fill },
	{ "append", run_append },
	{ "times", run_times },
	{ "each", run_each },
	{ "wake", run_wake },
	{ "deliver", run_deliver },
	{ "pop", run_pop },
	{ "idle", run_idle },
};

static bool option_take(int option, char *value)
{
	static const struct {
		char letter;
		int *number;
		const char **text;
	} options[] = { { 'p', &port, NULL }, { 'q', &smtp_port, NULL }, { 'n', &count, NULL },
		{ 'c', &clients, NULL }, { 's', &octets, NULL }, { 'U', &users, NULL },
		{ 'f', &first, NULL }, { 'u', NULL, &user }, { 'w', NULL, &password },
		{ 'm', NULL, &mailbox }, { 'x', NULL, &command }, { 'y', NULL, &other } };

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (options[i].letter != option)
			continue;
		if (options[i].number)
			*options[i].number = (int)strtol(value, NULL, 10);
		else
			*options[i].text = value;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "p:q:n:c:s:U:f:u:w:m:x:y:t")) != -1) {
		if (option == 't')
			tls = wire_context();
		else if (!option_take(option, optarg))
			return 2;
	}
	for (size_t i = 0; optind < argc && i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(argv[optind], modes[i].name) == 0) {
			modes[i].run();
			return 0;
		}
	fprintf(stderr, "usage: mailload MODE -p PORT ..., see its source\n");
	return 2;
}
