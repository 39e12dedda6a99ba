/*
 * load: sends messages by SMTP in parallel sessions, then waits until IMAP shows all of them.
 *
 *     load SMTP_PORT IMAP_PORT SESSIONS MESSAGES OCTETS USERS PASSWORD [starttls]
 *
 * Speaks to 127.0.0.1, to u0@bench.test and so on, many messages a session, no pipelining, as most
 * clients do; with starttls, each message in a session of its own, under TLS, never resumed. One line of figures: accepted and visible messages a second, and the time of the answer to
 * the data in ms (median, 99th percentile). The watchers log in before the load begins.
 */
#include "wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 4096
#define HEAD 300

static int smtp_port, imap_port, sessions, messages, octets, users;
static const char *password;
static _Atomic int next_message;
static double *latencies;
static char *body;
static size_t body_octets;
static SSL_CTX *tls_context; /* NULL: no STARTTLS */

/* The last line of an SMTP reply; its code must be as wanted. */
static void smtp_expect(struct wire *w, int code)
{
	char line[LINE];

	do
		wire_line(w, line, sizeof line);
	while (strlen(line) > 3 && line[3] == '-');
	if (strtol(line, NULL, 10) != code)
		fail("unexpected reply", line);
}

static void smtp_say(struct wire *w, int code, const char *format, int number)
{
	char line[200];

	snprintf(line, sizeof line, format, number);
	wire_send(w, line, strlen(line));
	smtp_expect(w, code);
}

static void smtp_begin(struct wire *w)
{
	wire_open(w, smtp_port);
	smtp_expect(w, 220);
	smtp_say(w, 250, "EHLO client.bench.test\r\n", 0);
	if (!tls_context)
		return;
	smtp_say(w, 220, "STARTTLS\r\n", 0);
	wire_secure(w, tls_context);
	smtp_say(w, 250, "EHLO client.bench.test\r\n", 0);
}

static void smtp_end(struct wire *w)
{
	smtp_say(w, 221, "QUIT\r\n", 0);
	wire_close(w);
}

static void *session(void *nothing)
{
	char *message = malloc(HEAD + body_octets + 3);
	struct wire w;
	int i;

	smtp_begin(&w);
	while ((i = next_message++) < messages) {
		smtp_say(&w, 250, "MAIL FROM:<sender@elsewhere.test>\r\n", 0);
		smtp_say(&w, 250, "RCPT TO:<u%d@bench.test>\r\n", i % users);
		smtp_say(&w, 354, "DATA\r\n", 0);
		snprintf(message, HEAD,
		    "From: <sender@elsewhere.test>\r\nTo: <u%d@bench.test>\r\n"
		    "Subject: message %d\r\nMessage-ID: <%d.%ld@bench.test>\r\n"
		    "Date: Tue, 24 Nov 2026 09:00:00 +0000\r\n\r\n",
		    i % users, i, i, (long)getpid());
		size_t n = strlen(message);
		memcpy(message + n, body, body_octets);
		memcpy(message + n + body_octets, ".\r\n", 3);
		double start = now();
		wire_send(&w, message, n + body_octets + 3);
		smtp_expect(&w, 250);
		latencies[i] = now() - start;
		if (tls_context) {
			smtp_end(&w);
			smtp_begin(&w);
		}
	}
	smtp_end(&w);
	free(message);
	return nothing;
}

/* Messages in the INBOX of one user. */
static long count(struct wire *w)
{
	char line[LINE];
	long n = -1;

	wire_send(w, "s STATUS INBOX (MESSAGES)\r\n", 27);
	for (;;) {
		wire_line(w, line, sizeof line);
		const char *at = strstr(line, "MESSAGES ");
		if (at && line[0] == '*')
			n = strtol(at + 9, NULL, 10);
		if (strncmp(line, "s ", 2) == 0)
			return n >= 0 ? n : (fail("STATUS", line), 0);
	}
}

static void watch_begin(struct wire *w, int user)
{
	char line[LINE];

	wire_open(w, imap_port);
	wire_line(w, line, sizeof line);
	snprintf(line, sizeof line, "l LOGIN u%d@bench.test %s\r\n", user, password);
	wire_send(w, line, strlen(line));
	do
		wire_line(w, line, sizeof line);
	while (strncmp(line, "l ", 2) != 0);
	if (strncmp(line, "l OK", 4) != 0)
		fail("LOGIN", line);
}

static long count_all(struct wire *watchers)
{
	long sum = 0;

	for (int i = 0; i < users; i++)
		sum += count(&watchers[i]);
	return sum;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void make_body(void)
{
	static const char line[] =
	    "the quick delivery of mail is a pleasure to all who wait for it here\r\n";

	body = malloc((size_t)octets + sizeof line);
	while (body_octets < (size_t)octets) {
		memcpy(body + body_octets, line, sizeof line - 1);
		body_octets += sizeof line - 1;
	}
}

int main(int argc, char **argv)
{
	int *numbers[] = { &smtp_port, &imap_port, &sessions, &messages, &octets, &users };

	if (argc != 8 && (argc != 9 || strcmp(argv[8], "starttls") != 0)) {
		fprintf(stderr,
		    "usage: load SMTP_PORT IMAP_PORT SESSIONS MESSAGES OCTETS USERS PASSWORD [starttls]\n");
		return 2;
	}
	tls_context = argc == 9 ? wire_context() : NULL;
	for (int i = 0; i < 6; i++)
		*numbers[i] = (int)strtol(argv[i + 1], NULL, 10);
	password = argv[7];
	make_body();
	latencies = calloc((size_t)messages, sizeof *latencies);
	struct wire *watchers = calloc((size_t)users, sizeof *watchers);
	pthread_t *threads = calloc((size_t)sessions, sizeof *threads);
	for (int i = 0; i < users; i++)
		watch_begin(&watchers[i], i);
	long before = count_all(watchers);

	double start = now();
	for (int i = 0; i < sessions; i++)
		pthread_create(&threads[i], NULL, session, NULL);
	for (int i = 0; i < sessions; i++)
		pthread_join(threads[i], NULL);
	double accepted = now();
	while (count_all(watchers) - before < messages && now() - accepted < 120)
		usleep(2000);
	double visible = now();
	if (count_all(watchers) - before != messages)
		fail("messages", "not all, or too many, became visible");
	qsort(latencies, (size_t)messages, sizeof *latencies, compare);
	printf("accepted %.1f visible %.1f p50 %.2f p99 %.2f\n", messages / (accepted - start),
	    messages / (visible - start), latencies[messages / 2] * 1000,
	    latencies[(size_t)messages * 99 / 100] * 1000);
	return 0;
}
