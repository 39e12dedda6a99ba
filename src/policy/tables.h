/*
 * policy_host: what the policy language offers in mail: events, variables, methods, as tables.
 *
 * `hauberk policy` and the role smtp share them. Names that AXIGEN documents are kept with their meaning and
 * default. A method whose engine is not built yet has a row that says what it waits for, so that a script that
 * calls it is checked like any other.
 *
 *     struct policy_host host = policy_host_smtp;
 *     host.call = my_call;     (runs checks and actions; self->id is the method's number)
 */
#ifndef SMTP_POLICY_HOST_H
#define SMTP_POLICY_HOST_H

#include "script/policy/host.h"

/* In the order in which they happen; the numbers of events in masks and programs. */
enum policy_event_id {
	ON_CONNECT,
	ON_EHLO,
	ON_AUTH,
	ON_MAIL_FROM,
	ON_RCPT_TO,
	ON_HEADERS_RECEIVED,
	ON_BODY_CHUNK,
	ON_DATA_RECEIVED,
	ON_PROCESS,
	ON_RELAY,
	ON_DELIVERY_FAILURE,
	ON_TEMPORARY_DELIVERY_FAILURE,
	POLICY_EVENTS
};

extern const struct policy_variable policy_variables[];
extern const unsigned policy_variable_count;

/* The whole of it, without `call`. Made once, at first use; call it before there are threads. */
struct policy_host policy_host_smtp(void);
/* A variable's number; it must exist. */
uint32_t policy_variable_id(const char *name);

#endif
