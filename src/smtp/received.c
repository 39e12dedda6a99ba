#include "smtp/received.h"

#include <sys/random.h>

#include "base/log.h"
#include "mail/date.h"
#include "mail/header.h"
#include "smtp/internal.h"

void header_look(slice header, struct header_facts *out)
{
	struct header_field field;
	bool first = true;

	*out = (struct header_facts){ 0 };
	for (slice rest = header; header_next(&rest, &field); first = false) {
		out->none |= first && !field.name.n;
		out->hops += slice_eq_nocase(field.name, SLICE("Received"));
		out->date |= slice_eq_nocase(field.name, SLICE("Date"));
		out->message_id |= slice_eq_nocase(field.name, SLICE("Message-ID"));
	}
}

/* with-protocol of RFC 3848 and, for international mail, of RFC 6531. */
static void protocol_write(const struct session *s, struct buf *out)
{
	const struct smtp *smtp = s->state;

	buf_adds(out,
	    smtp->tx->flags & ENVELOPE_UTF8 ? "UTF8SMTP"
		: smtp->extended            ? "ESMTP"
					    : "SMTP");
	if (smtp->extended && session_secure(s))
		buf_addc(out, 'S');
	if (smtp->extended && smtp->account)
		buf_addc(out, 'A');
}

static void now_write(struct buf *out)
{
	struct date now = { .seconds = clock_wall_us() / 1000000 };

	date_write(&now, out);
}

static void received_write(const struct session *s, struct buf *out)
{
	const struct smtp *smtp = s->state;
	const struct transaction *tx = smtp->tx;
	slice tls = slice_of(session_tls_text(s));

	buf_addf(out, "Received: from %.*s (%.*s%s[%s%s])\r\n", SLICE_ARG(smtp->hello),
	    SLICE_ARG(smtp->name), smtp->name.n ? " " : "", s->peer_ipv6 ? "IPv6:" : "", s->peer);
	if (tls.n) {
		slice version = slice_head(tls, slice_find(tls, ' '));

		buf_addf(out, "\t(using %.*s with cipher %.*s)\r\n", SLICE_ARG(version),
		    SLICE_ARG(slice_from(tls, version.n + 1)));
	}
	buf_addf(out, "\tby %s (Hauberk) with ", smtp_conf->hostname);
	protocol_write(s, out);
	buf_addf(out, " id %s.%u", s->id, smtp->messages + 1);
	/* One recipient only: what is said of several tells each of the blind copies. */
	if (tx->accepted == 1 && tx->recipient_count)
		buf_addf(out, "\r\n\tfor <%.*s>", SLICE_ARG(tx->recipients[0].address));
	buf_adds(out, ";\r\n\t");
	now_write(out);
	buf_adds(out, "\r\n");
}

/* RFC 5322 §3.6.4: what nobody else makes, and nobody can guess. */
static void message_id_write(struct buf *out)
{
	uint64_t random[2];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		panic("no random octets");
	buf_addf(out, "Message-ID: <%llx.%016llx%016llx@%s>\r\n",
	    (unsigned long long)clock_wall_us(), (unsigned long long)random[0],
	    (unsigned long long)random[1], smtp_conf->hostname);
}

void trace_fields_write(const struct session *s, const struct header_facts *facts, struct buf *out)
{
	received_write(s, out);
	if (!smtp_is_ours(s))
		return;
	if (!facts->date) {
		buf_adds(out, "Date: ");
		now_write(out);
		buf_adds(out, "\r\n");
	}
	if (!facts->message_id)
		message_id_write(out);
}
