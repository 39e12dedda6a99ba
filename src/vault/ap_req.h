/*
 * ap_req: what a ticket says of itself without any key: for whom it is, and how it is locked.
 *
 * Only for refusing and for the log: none of it is proved before the library has opened the ticket.
 */
#ifndef VAULT_AP_REQ_H
#define VAULT_AP_REQ_H

#include "base/slice.h"

#define AP_REQ_COMPONENTS 4

struct ap_req {
	slice realm;                         /* of the service; borrowed */
	slice components[AP_REQ_COMPONENTS]; /* "imap", "mx.example.org" */
	int component_count;
	int enctype;
	bool has_kvno;
	uint32_t kvno;
};

/* The first token of Kerberos over GSSAPI (RFC 4121 §4.1) with an AP-REQ (RFC 4120 §5.5.1). false: it is
 * something else, SPNEGO too, or malformed. */
bool ap_req_read(slice token, struct ap_req *out);

#endif
