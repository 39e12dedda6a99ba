/*
 * imap_fixture: an IMAP server with a store, and short words for what its tests say and hear.
 *
 * Accounts as in lib/server.h. The tests have one client that searches at a time: all share one converter.
 */
#ifndef TESTS_IMAP_FIXTURE_H
#define TESTS_IMAP_FIXTURE_H

#include "lib/server.h"
#include "lib/unit.h"

#include <unistd.h>

#include "imap/imap.h"
#include "mail/charset.h"

static struct charsets *converters;

static inline void notify(void *worker, const struct store_notice *notice)
{
	server_notice(store_watch_key(notice->account, notice->mailbox));
}

static inline struct charsets *charsets(void *worker)
{
	return converters;
}

/* Of every account; 0: none. */
static int64_t quota;

static inline bool find_quota(
    void *worker, int64_t account, int64_t *octets_out, struct error *error)
{
	*octets_out = quota;
	return true;
}

static inline int server_begin(void **state)
{
	static const struct store_host setup = { .store = server_store,
		.login = server_login,
		.find = server_find,
		.charsets = charsets,
		.quota = find_quota,
		.notify = notify,
		.login_timeout_ms = 60000,
		.idle_timeout_ms = 600000,
		.max_errors = 20,
		.max_login_failures = 3,
		.compress = true };

	quota = 0;
	converters = charsets_open();
	imap_init(&setup);
	server_start(&imap_protocol);
	return 0;
}

static inline int server_end(void **state)
{
	server_stop();
	charsets_close(converters);
	return 0;
}

static inline void talk(int fd, const char *say, const char *hear)
{
	server_say(fd, say);
	server_hear(fd, hear);
}

static inline void until(int fd, const char *say, const char *start)
{
	struct buf heard;

	buf_init(&heard, 1 << 20);
	server_say(fd, say);
	server_hear_line(fd, start, &heard);
	buf_free(&heard);
}

static inline void append(int fd, const char *message)
{
	char command[2000];

	snprintf(
	    command, sizeof command, "p append INBOX {%zu+}\r\n%s\r\n", strlen(message), message);
	until(fd, command, "p OK [APPENDUID ");
}

/* Logged in, with nothing selected. */
static inline int client(void)
{
	int fd = server_connect();

	until(fd, "l login alice secret\r\n", "l OK");
	return fd;
}

/* Logged in; n messages in a selected INBOX, none recent. */
static inline int mailbox(int n)
{
	int fd = client();

	for (int i = 1; i <= n; i++) {
		char message[100];

		snprintf(message, sizeof message, "Subject: number %d\r\n\r\ntext %d\r\n", i, i);
		append(fd, message);
	}
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	until(fd, "s select inbox\r\n", "s OK [READ-WRITE]");
	return fd;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, server_begin, server_end)

#endif
