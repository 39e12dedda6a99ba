/*
 * sum: the checksums of rows, as SQL that SQLite and PostgreSQL compute alike.
 *
 * A column `sum` (or `ident`) holds 1 plus its columns times small factors, modulo the prime 2^31-1: one octet
 * that changes in any of them changes it, and an UPDATE carries it on by what it adds, without reading the row
 * anew, so a fault that was there before stays visible. Counters that can be counted again are in none.
 * The factors: ORDER SUM_x and whoever adds to x.
 *
 * A column `crc` holds 1 plus the CRC-32C of a text or of octets, which the program computes; 0: nobody knows (rows of
 * versions before 5).
 */
#ifndef STORE_SUM_H
#define STORE_SUM_H

#define SUM_PRIME  "2147483647"
#define SUM_MOD(x) "(((" x ") % " SUM_PRIME " + " SUM_PRIME ") % " SUM_PRIME ")"
/* A column or parameter, small enough to be multiplied. */
#define SUM_OF(x) "CAST(" x " AS bigint) % " SUM_PRIME
/* The sum after something was added: `more` is factors times parameters or SUM_STEPs. */
#define SUM_ADD(sum, more) SUM_MOD(sum " + " more)
/* By how much a column changes. */
#define SUM_STEP(from, to) "(" SUM_OF(to) " - " SUM_OF(from) ")"

#define SUM_ACCOUNT                                                                                \
	SUM_MOD("1 + 2 * (" SUM_OF("modseq") ") + 3 * (" SUM_OF("uidvalidity") ") + 5 * (" SUM_OF( \
	    "mailbox_last") ") + 7 * (" SUM_OF("body_last") ") + 11 * (" SUM_OF("ceiling") ")")
/* What UIDs mean: with another one, clients must forget what they know. */
#define SUM_IDENT(id, uidvalidity, uidnext)                                                        \
	SUM_MOD("1 + 2 * (" SUM_OF(id) ") + 3 * (" SUM_OF(uidvalidity) ") + 5 * (" SUM_OF(         \
	    uidnext) ")")
#define SUM_MAILBOX(modseq, recent, horizon, subscribed)                                           \
	SUM_MOD("1 + 2 * (" SUM_OF(modseq) ") + 3 * (" SUM_OF(recent) ") + 5 * (" SUM_OF(          \
	    horizon) ") + 7 * (" SUM_OF(subscribed) ")")
#define SUM_MESSAGE(mailbox, uid, flags, modseq, size, received, body, saved)                                                             \
	SUM_MOD(                                                                                                                          \
	    "1 + 2 * (" SUM_OF(mailbox) ") + 3 * (" SUM_OF(uid) ") + 5 * (" SUM_OF(flags) ") + 7 * (" SUM_OF(modseq) ") + 11 * (" SUM_OF( \
		size) ") + 13 * (" SUM_OF(received) ") + 17 * (" SUM_OF(body) ") + 19 * (" SUM_OF(saved) ")")
#define SUM_BODY(id, refs, size)                                                                   \
	SUM_MOD("1 + 2 * (" SUM_OF(id) ") + 3 * (" SUM_OF(refs) ") + 5 * (" SUM_OF(size) ")")
#define SUM_CHANGE(mailbox, modseq, lo, hi, kind)                                                  \
	SUM_MOD("1 + 2 * (" SUM_OF(mailbox) ") + 3 * (" SUM_OF(modseq) ") + 5 * (" SUM_OF(         \
	    lo) ") + 7 * (" SUM_OF(hi) ") + 11 * (" SUM_OF(kind) ")")
#define SUM_DELIVERED(segment, place, recipient)                                                   \
	SUM_MOD("1 + 2 * (" SUM_OF(segment) ") + 3 * (" SUM_OF(place) ") + 5 * (" SUM_OF(          \
	    recipient) ")")
#define SUM_SPAN(mailbox, modseq, lo, hi, cleared, added)                                          \
	SUM_MOD("1 + 2 * (" SUM_OF(mailbox) ") + 3 * (" SUM_OF(modseq) ") + 5 * (" SUM_OF(         \
	    lo) ") + 7 * (" SUM_OF(hi) ") + 11 * (" SUM_OF(cleared) ") + 13 * (" SUM_OF(added) ")")

/* The sums of the rows as they stand. */
#define SUM_IDENT_ROW   SUM_IDENT("id", "uidvalidity", "uidnext")
#define SUM_MAILBOX_ROW SUM_MAILBOX("modseq", "recent", "horizon", "subscribed")
#define SUM_MESSAGE_ROW                                                                            \
	SUM_MESSAGE("mailbox", "uid", "flags", "modseq", "size", "received", "body", "saved")
#define SUM_BODY_ROW      SUM_BODY("id", "refs", "size")
#define SUM_CHANGE_ROW    SUM_CHANGE("mailbox", "modseq", "uid_lo", "uid_hi", "kind")
#define SUM_DELIVERED_ROW SUM_DELIVERED("segment", "place", "recipient")
#define SUM_SPAN_ROW      SUM_SPAN("mailbox", "modseq", "uid_lo", "uid_hi", "cleared", "added")

/* Makes the sums, and what can be counted, agree with the rows; of all accounts in the file, which has one. */
#define FILL_COUNT(table)                                                                          \
	"(SELECT count(*) FROM " table " c WHERE c.account_id = account.account_id)"
#define FILL_ACCOUNT                                                                               \
	"UPDATE account SET mailboxes = " FILL_COUNT("mailbox") ", keywords = " FILL_COUNT(        \
	    "keyword") ", subscriptions = " FILL_COUNT("subscription") ", delivered = " FILL_COUNT("delivered") ", sum = " SUM_ACCOUNT
#define FILL_MAILBOX                                                                               \
	"UPDATE mailbox SET spans = (SELECT count(*) FROM flag_span s WHERE s.account_id = "       \
	"mailbox.account_id AND s.mailbox = mailbox.id), ident = " SUM_IDENT_ROW                   \
	", sum = " SUM_MAILBOX_ROW
#define FILL_MESSAGE   "UPDATE message SET sum = " SUM_MESSAGE_ROW
#define FILL_BODY      "UPDATE body SET sum = " SUM_BODY_ROW
#define FILL_CHANGE    "UPDATE change SET sum = " SUM_CHANGE_ROW
#define FILL_DELIVERED "UPDATE delivered SET sum = " SUM_DELIVERED_ROW
#define FILL_SPAN      "UPDATE flag_span SET sum = " SUM_SPAN_ROW

#endif
