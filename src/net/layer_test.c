/* A layer between socket and frames (net/layer.h), with one that turns a bit of each octet (lib/talk.h). */
#include "lib/split.h"
#include "lib/talk.h"
#include "lib/unit.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/layer.h"

static int start_server(void **state)
{
	(void)state;
	talk_start(&(struct talk_setup){ .workers = 2 });
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	talk_stop();
	return 0;
}

/* A piece as it is sent. */
static void add_piece(struct buf *out, const char *text)
{
	slice s = slice_of(text);
	char length[4] = { 0, 0, (char)(s.n >> 8), (char)s.n };

	buf_add(out, (slice){ length, 4 });
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, (char)(s.p[i] ^ 1));
}

static size_t read_whole(int fd, char *to, size_t n)
{
	size_t got = 0;

	while (got < n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r = poll(&p, 1, 5000) == 1 ? read(fd, to + got, n - got) : 0;

		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

/* Pieces of at most 100 octets, which hold this in the end. */
static void hear_pieces(int fd, const char *want)
{
	struct buf heard;
	unsigned char length[4];
	char piece[100];

	buf_init(&heard, 1 << 20);
	while (heard.n < strlen(want) && read_whole(fd, (char *)length, 4) == 4) {
		assert_true(length[0] == 0 && length[1] == 0 && length[2] == 0 && length[3] <= 100);
		assert_int_equal(read_whole(fd, piece, length[3]), length[3]);
		for (size_t i = 0; i < length[3]; i++)
			buf_addc(&heard, (char)(piece[i] ^ 1));
	}
	assert_slice(buf_slice(&heard), want);
	buf_free(&heard);
}

static void talk_layered(void *want, const slice *pieces, size_t n)
{
	int fd = talk_connect();

	for (size_t i = 0; i < n; i++)
		talk_say(fd, pieces[i]);
	talk_hear(fd, "hello\r\nlayered\r\n");
	hear_pieces(fd, want);
	talk_hear_end(fd);
}

/* Also what was sent before the layer was answered; commands over two pieces, two in one, a literal. */
static void every_split_gets_the_same_answers(void **state)
{
	struct buf all;

	(void)state;
	buf_init(&all, 1000);
	buf_adds(&all, "layer\r\n");
	add_piece(&all, "echo a\r\nec");
	add_piece(&all, "");
	add_piece(&all, "ho b\r\ntake 4\r\nx\r");
	add_piece(&all, "\ny");
	add_piece(&all, "quit\r\n");
	split_every_way(buf_slice(&all), talk_layered, "a\r\nb\r\ntook 4\r\nbye\r\n");
	buf_free(&all);
}

/* "line 00000009 of a long answer ...", more than a piece holds. */
static void a_long_answer_comes_in_pieces_that_the_client_takes(void **state)
{
	char want[3000];
	struct buf all;
	size_t n = 0;
	int fd = talk_connect();

	(void)state;
	for (int i = 20; i-- > 0;)
		n += (size_t)snprintf(want + n, sizeof want - n,
		    "line %08d of a long answer ........................\r\n", i);
	buf_init(&all, 1000);
	add_piece(&all, "many 20\r\n");
	talk_say(fd, SLICE("layer\r\n"));
	talk_hear(fd, "hello\r\nlayered\r\n");
	talk_say(fd, buf_slice(&all));
	hear_pieces(fd, want);
	close(fd);
	buf_free(&all);
}

static void ends_with(slice octets)
{
	int fd = talk_connect();

	talk_say(fd, SLICE("layer\r\n"));
	talk_hear(fd, "hello\r\nlayered\r\n");
	talk_say(fd, octets);
	talk_hear_end(fd);
	close(fd);
}

static void a_piece_that_is_wrong_ends_the_session(void **state)
{
	(void)state;
	ends_with(SLICE("echo in clear\r\n"));
	ends_with((slice){ "\0\0\x40\1", 4 }); /* one octet too long */
	ends_with((slice){ "\xff\xff\xff\xff", 4 });
	ends_with((slice){ "\0\0\0\2x\x7f", 6 }); /* the layer refuses it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gets_the_same_answers),
		cmocka_unit_test(a_long_answer_comes_in_pieces_that_the_client_takes),
		cmocka_unit_test(a_piece_that_is_wrong_ends_the_session),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
