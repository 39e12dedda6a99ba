#include "proc/message.h"

#include "proc/channel.h"

void message_begin(struct message *m, enum message_type type)
{
	struct channel_head head = { .type = type };

	buf_init(&m->data, MESSAGE_MAX);
	buf_add(&m->data, (slice){ (const char *)&head, sizeof head });
}

void message_put_number(struct message *m, uint64_t n)
{
	buf_add(&m->data, (slice){ (const char *)&n, sizeof n });
}

void message_put_text(struct message *m, slice text)
{
	message_put_number(m, text.n);
	buf_add(&m->data, text);
}

void message_free(struct message *m)
{
	buf_free(&m->data);
}

uint64_t message_get_number(struct message_reader *r)
{
	uint64_t n = 0;

	if (r->failed || r->rest.n < sizeof n) {
		r->failed = true;
		return 0;
	}
	memcpy(&n, r->rest.p, sizeof n);
	r->rest = slice_from(r->rest, sizeof n);
	return n;
}

slice message_get_text(struct message_reader *r)
{
	uint64_t n = message_get_number(r);

	if (r->failed || n > r->rest.n) {
		r->failed = true;
		return (slice){ 0 };
	}
	slice text = slice_head(r->rest, (size_t)n);
	r->rest = slice_from(r->rest, (size_t)n);
	return text;
}

bool message_done(const struct message_reader *r)
{
	return !r->failed && r->rest.n == 0;
}
