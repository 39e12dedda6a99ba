/* What clients that know QRESYNC (RFC 7162) are told. */
#include "lib/imap_fixture.h"

#include <stdlib.h>

/* The number after `word` in the answer to a SELECT. */
static unsigned number_after(int fd, const char *command, const char *word)
{
	struct buf heard;

	buf_init(&heard, 1 << 20);
	server_say(fd, command);
	server_hear_line(fd, "n ", &heard);
	buf_addc(&heard, '\0');
	const char *at = strstr(heard.p, word);
	assert_non_null(at);
	unsigned n = (unsigned)strtoul(at + strlen(word), NULL, 10);
	buf_free(&heard);
	return n;
}

static unsigned uidvalidity(int fd)
{
	return number_after(fd, "n status inbox (uidvalidity)\r\n", "UIDVALIDITY ");
}

/* SELECT with this after the UIDVALIDITY; hear: what comes after the answers that every SELECT has. */
static void select_again(int fd, const char *parameters, const char *hear)
{
	char say[300];

	snprintf(
	    say, sizeof say, "a select inbox (qresync (%u %s))\r\n", uidvalidity(fd), parameters);
	until(fd, say, "* OK [MAILBOXID ");
	server_hear(fd, hear);
}

/* Six messages with modseqs 2 to 7; 2 and 4 were removed at 9, 1 flagged at 10. */
static int changed_mailbox(void)
{
	int fd = mailbox(6);

	talk(fd, "a enable qresync condstore\r\n", "* ENABLED CONDSTORE QRESYNC\r\na OK done\r\n");
	talk(fd, "a store 2,4 +flags.silent \\Deleted\r\n",
	    "* 2 FETCH (UID 2 MODSEQ (8))\r\n* 4 FETCH (UID 4 MODSEQ (8))\r\na OK stored\r\n");
	talk(fd, "a expunge\r\n", "* VANISHED 2,4\r\na OK [HIGHESTMODSEQ 9] expunged\r\n");
	talk(fd, "a store 1 flags \\Flagged\r\n",
	    "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (10))\r\na OK stored\r\n");
	return fd;
}

static void select_tells_what_happened_since(void **state)
{
	int fd = changed_mailbox();

	select_again(fd, "7",
	    "* VANISHED (EARLIER) 2,4\r\n* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (10))\r\n"
	    "a OK [READ-WRITE] selected\r\n");
	select_again(fd, "9",
	    "* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (10))\r\na OK [READ-WRITE] selected\r\n");
	select_again(fd, "10", "a OK [READ-WRITE] selected\r\n");
	select_again(fd, "7 3:6", "* VANISHED (EARLIER) 4\r\na OK [READ-WRITE] selected\r\n");
	/* The client's third message is 3 and ours is the second: what is above 1 may be gone. */
	select_again(fd, "7 1:6 (1,3,5 1,3,5)",
	    "* VANISHED (EARLIER) 2,4\r\n* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (10))\r\n"
	    "a OK [READ-WRITE] selected\r\n");
	/* One that knows that 2 is gone. */
	select_again(fd, "7 (1:4 1,3,4,5)",
	    "* VANISHED (EARLIER) 4\r\n* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (10))\r\n"
	    "a OK [READ-WRITE] selected\r\n");
	/* Of another mailbox of this name. */
	until(fd, "a examine inbox (qresync (1 7))\r\n", "* OK [HIGHESTMODSEQ 10]");
	until(fd, "", "* OK [MAILBOXID ");
	server_hear(fd, "a OK [READ-ONLY] selected\r\n");
	close(fd);
}

static void leaving_by_another_select_is_told(void **state)
{
	int fd = mailbox(0);

	talk(fd, "a select nowhere\r\n",
	    "* OK [CLOSED] the one before\r\na NO [NONEXISTENT] no such mailbox\r\n");
	talk(fd, "a check\r\n", "a BAD select a mailbox first\r\n");
	until(fd, "a select inbox\r\n", "* FLAGS");
	close(fd);
}

static void fetch_tells_what_is_gone(void **state)
{
	int fd = changed_mailbox();

	talk(fd, "a uid fetch 1:* flags (changedsince 8 vanished)\r\n",
	    "* VANISHED (EARLIER) 2,4\r\n"
	    "* 1 FETCH (UID 1 MODSEQ (10) FLAGS (\\Flagged))\r\na OK fetched\r\n");
	talk(fd, "a uid fetch 3:9 uid (vanished changedsince 1)\r\n",
	    "* VANISHED (EARLIER) 4\r\n* 2 FETCH (MODSEQ (4) UID 3)\r\n"
	    "* 3 FETCH (MODSEQ (6) UID 5)\r\n* 4 FETCH (MODSEQ (7) UID 6)\r\na OK fetched\r\n");
	talk(fd, "a fetch 1:* flags (changedsince 8 vanished)\r\n",
	    "a BAD VANISHED goes with UID FETCH and CHANGEDSINCE, after ENABLE QRESYNC\r\n");
	talk(fd, "a uid fetch 1:* flags (vanished)\r\n",
	    "a BAD VANISHED goes with UID FETCH and CHANGEDSINCE, after ENABLE QRESYNC\r\n");
	/* The last message gone, "*" reaches to where it was. */
	talk(fd, "a store 4 +flags.silent \\Deleted\r\n",
	    "* 4 FETCH (UID 6 MODSEQ (11))\r\na OK stored\r\n");
	talk(fd, "a uid expunge 6\r\n", "* VANISHED 6\r\na OK [HIGHESTMODSEQ 12] expunged\r\n");
	talk(fd, "a uid fetch 5:* flags (changedsince 11 vanished)\r\n",
	    "* VANISHED (EARLIER) 6\r\na OK fetched\r\n");
	close(fd);
}

static void others_removals_are_told_by_uid(void **state)
{
	int one = mailbox(4), two = client();

	talk(two, "a enable qresync\r\n", "* ENABLED QRESYNC\r\na OK done\r\n");
	until(two, "a select inbox\r\n", "a OK [READ-WRITE]");
	talk(two, "a idle\r\n", "+ idling\r\n");
	talk(one, "a store 1,3 +flags.silent \\Deleted\r\n", "a OK stored\r\n");
	server_hear(two,
	    "* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (6))\r\n"
	    "* 3 FETCH (UID 3 FLAGS (\\Deleted) MODSEQ (6))\r\n");
	talk(one, "a expunge\r\n", "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\na OK expunged\r\n");
	server_hear(two, "* VANISHED 1,3\r\n");
	talk(two, "done\r\n", "a OK idled\r\n");
	talk(two, "a fetch 1:* uid\r\n",
	    "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 4)\r\na OK fetched\r\n");
	until(one, "a create x\r\n", "a OK [MAILBOXID (F");
	until(two, "a move 1 x\r\n", "* OK [COPYUID ");
	server_hear(two, "* VANISHED 2\r\na OK [HIGHESTMODSEQ 9] moved\r\n");
	/* Numbers stay while a command counts by them. */
	talk(one, "a store 2 +flags.silent \\Deleted\r\n", "a OK stored\r\n");
	talk(one, "a noop\r\n", "* 1 EXPUNGE\r\na OK done\r\n");
	close(one);
	close(two);
}

static void flags_that_change_come_with_their_uid(void **state)
{
	int fd = mailbox(1);

	talk(fd, "a enable qresync\r\n", "* ENABLED QRESYNC\r\na OK done\r\n");
	talk(fd, "a fetch 1 body[text]\r\n",
	    "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (3) BODY[TEXT] {8}\r\ntext 1\r\n)\r\n"
	    "a OK fetched\r\n");
	talk(fd, "a fetch 1 flags\r\n", "* 1 FETCH (FLAGS (\\Seen))\r\na OK fetched\r\n");
	close(fd);
}

static void wrong_parameters_are_told(void **state)
{
	int fd = mailbox(1);

	talk(fd, "a select inbox (qresync (1 1))\r\n",
	    "a BAD QRESYNC needs ENABLE QRESYNC first\r\n");
	talk(fd, "a select inbox (qresync (0 1))\r\n",
	    "a BAD expected number from 1 to 4294967295 at column 27\r\n");
	talk(fd, "a select inbox (qresync (1 1 1:*))\r\n",
	    "a BAD expected a set without '*' or '$' at column 30\r\n");
	talk(fd, "a select inbox (qresync (1 1 (1 $)))\r\n",
	    "a BAD expected a set without '*' or '$' at column 33\r\n");
	talk(fd, "a select inbox (qresync (1 1 1 (1)))\r\n",
	    "a BAD expected one space at column 34\r\n");
	talk(fd, "a select inbox (qresync 1)\r\n", "a BAD expected '(' at column 25\r\n");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(select_tells_what_happened_since),
		WITH_SERVER(leaving_by_another_select_is_told),
		WITH_SERVER(fetch_tells_what_is_gone),
		WITH_SERVER(others_removals_are_told_by_uid),
		WITH_SERVER(flags_that_change_come_with_their_uid),
		WITH_SERVER(wrong_parameters_are_told),
	};

	return UNIT_RUN(tests);
}
