/*
 * kerberos: tickets of users are accepted here, in the role auth, which alone has the services' keys.
 *
 *     kerberos_open(folder, rc4, &error)           before the sandbox is locked
 *     kerberos_load(content of the keytab, &error) then, and whenever main sends another
 *     kerberos_accept(service, token, &answer)     by any thread
 *     kerberos_finish(state, response, &answer)
 *
 * Nothing is kept between the two steps of a login: what the second needs goes to the asker and comes back,
 * locked with a key that only this process has. So an asker that dies leaves nothing behind, and none can
 * fill this process. Neither the system's krb5.conf nor its GSSAPI plugins are read.
 */
#ifndef VAULT_KERBEROS_H
#define VAULT_KERBEROS_H

#include "vault/keytab.h"

#define KERBEROS_TOKEN (72u << 10) /* octets of a token from a client, or for one */

enum kerberos_result {
	KERBEROS_ACCEPTED,
	KERBEROS_REFUSED,
	KERBEROS_MALFORMED,
	KERBEROS_FAILED, /* nothing is wrong with the client: later */
	KERBEROS_RESULTS
};

/* Security layers (RFC 4752 §3.1), as bits. */
enum kerberos_layer { KERBEROS_NO_LAYER = 1, KERBEROS_INTEGRITY = 2, KERBEROS_CONFIDENTIALITY = 4 };

struct kerberos_answer {
	enum kerberos_result result;
	const char *code;     /* "ticket-expired": what was wrong, a word for each; "" */
	char why[400];        /* for the log: which key, what to do; accepted: "" or a warning */
	struct buf principal; /* "alice@EXAMPLE.TEST", with the library's escapes */
	struct buf token;     /* for the client; maybe empty */
	struct buf challenge; /* what it gets next: the security layers (RFC 4752 §3.1) */
	struct buf state;     /* for kerberos_finish; of it, the context where there is a layer */
	unsigned layer;       /* of kerberos_finish: enum kerberos_layer */
	size_t layer_most;    /* the longest piece that the client takes */
	struct buf authorize_as; /* of kerberos_finish: the authorization identity; maybe empty */
};

/* Warms the library up; the replay cache is made in the folder. */
bool kerberos_open(const char *folder, enum keytab_rc4 rc4, struct error *error);
/* The keys from now on; logins that have begun are not disturbed. Empty content: none. On failure those of
 * before stay. Publishes for which services there are keys (STAT_KERBEROS). */
bool kerberos_load(slice content, struct error *error);
/* The client's first token, and which layers it is offered (enum kerberos_layer). */
void kerberos_accept(
    enum kerberos_service service, unsigned layers, slice token, struct kerberos_answer *out);
/* Its answer to the challenge. */
void kerberos_finish(slice state, slice response, struct kerberos_answer *out);
void kerberos_answer_free(struct kerberos_answer *answer);

#endif
