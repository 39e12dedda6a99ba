/*
 * message: what one role says to another.
 *
 * A message is a type and typed fields in a fixed order, written with message_put_… and read with
 * message_get_… in the same order. Reading is sticky: after the first field that is not there every
 * further one is zero or empty, and message_done says false. A message that does not read to its end
 * is our bug or a peer gone mad; the receiver drops it and logs.
 *
 *     struct message m;
 *     message_begin(&m, MESSAGE_VERIFY_PASSWORD);
 *     message_put_number(&m, account);
 *     message_put_text(&m, password);
 *     peers_ask(peers, ROLE_AUTH, &m, &reply, deadline, &error);
 *     message_free(&m);
 *
 * Everything here is for one machine: numbers are in its own byte order.
 */
#ifndef PROC_MESSAGE_H
#define PROC_MESSAGE_H

#include "base/buf.h"

/* Every type there is, with the fields it carries. N = number, T = text or octets, D = a descriptor
 * sent along. What a reply carries stands behind "->". */
enum message_type {
	/* main to a role, before it starts */
	MESSAGE_SETTING = 1, /* T name, T value */
	MESSAGE_DESCRIPTOR,  /* T name, D: a listener, a sealed file, the statistics */
	MESSAGE_START,       /* no fields: all of it was sent */
	/* main to a role, at any time */
	MESSAGE_PEER,  /* N role, N instance, D: a fresh channel to that process */
	MESSAGE_DRAIN, /* finish what is begun, accept nothing new, end */
	/* a role to main */
	MESSAGE_READY,  /* N Landlock ABI (0: none): locked in its sandbox, serving */
	MESSAGE_STATUS, /* control asks -> T text for people */
	/* a command to control, on its local socket */
	MESSAGE_COMMAND, /* N words, T each word, T secret -> N status, N more (1: another follows), T text
			    for people */
	/* to keys */
	MESSAGE_SIGN, /* T key name, N scheme (net/ask.h), T digest -> T signature */
	/* to auth */
	MESSAGE_VERIFY_PASSWORD, /* N account (0: nobody), T password -> N right (0 or 1) */
	MESSAGE_SET_PASSWORD,    /* N account, T password -> */
	MESSAGE_SET_VERIFIER,    /* N account, T verifier of another server -> */
	MESSAGE_REMOVE_PASSWORD, /* N account -> */
	MESSAGE_SCRAM_SALT,      /* N account (0: nobody), T name -> N iterations, T salt */
	MESSAGE_SCRAM_PROOF, /* N account, T AuthMessage, T proof -> N right (0 or 1), T signature */
	MESSAGE_KERBEROS_ACCEPT, /* N service (vault/keytab.h) + 256 layers offered, T token -> N result (vault/kerberos.h), T code, T
				    why, T principal, T token, T challenge, T state, T authorize as, N layer, N longest
				    piece */
	MESSAGE_KERBEROS_FINISH, /* N service, T state, T response -> the same */
	/* smtp to queue */
	MESSAGE_SEGMENT_OPEN, /* N segment: this process appends only to this one from now on; N the last
				 that is of processes before it */
	MESSAGE_ACCEPTED, /* N segment, N place, N length, N alone (1: the segment's only one) -> */
	/* queue to deliver */
	MESSAGE_DELIVER, /* N segment, N place, N length, N lowest live segment, T recipient numbers done
			    -> N count, then for each: N recipient, N outcome, T why */
	/* control to smtp and imap */
	MESSAGE_ACCESS, /* no fields: the access rules have changed */
	/* control to smtp */
	MESSAGE_POLICY, /* no fields: there is another policy, or there are other domains */
	/* deliver and imap to imap */
	MESSAGE_NOTICE, /* N account, N mailbox, N modseq */
};

struct message {
	struct buf data;
};

/* Starts a message of this type; its memory is the heap's until message_free. */
void message_begin(struct message *m, enum message_type type);
void message_put_number(struct message *m, uint64_t n);
void message_put_text(struct message *m, slice text);
void message_free(struct message *m);

/* A position in a received message. */
struct message_reader {
	slice rest;
	bool failed;
};

uint64_t message_get_number(struct message_reader *r);
/* Borrowed from the message. */
slice message_get_text(struct message_reader *r);
/* Everything was there and nothing is left. */
bool message_done(const struct message_reader *r);

/* Largest message: channels keep message boundaries, so one must fit a socket buffer (Linux gives 208 KiB). */
#define MESSAGE_MAX (192 * 1024)

#endif
