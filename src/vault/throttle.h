/*
 * throttle: who has failed to log in too often must wait. Counted in the table that all processes share, over all
 * protocols: by address, by network, and by account.
 *
 *     if (!throttle_peer(slice_of(s->peer), error) || !throttle_account(name, error)) ... refuse, without asking anybody ...
 *     ...
 *     throttle_note(slice_of(s->peer), there_is_such_an_account ? name : (slice){ 0 });
 *
 * A guess that is stopped here reaches no directory, so that nobody's account is locked there by strangers. Who
 * comes with a ticket or a certificate guesses nothing: the account's count does not stop him.
 */
#ifndef VAULT_THROTTLE_H
#define VAULT_THROTTLE_H

#include "base/error.h"
#include "base/slice.h"

struct throttle {
	int address; /* failures within the window; 0: any number */
	int network; /* of an IPv4 /24, an IPv6 /48 */
	int account;
	int window_s;
};

/* Set once at start; before, nobody waits. */
void throttle_init(const struct throttle *limits);
/* May a client from there try? false: error is temporary, FAULT_LIMIT. */
bool throttle_peer(slice address, struct error *error);
/* May a password for the account of that name be tried? As throttle_peer. */
bool throttle_account(slice name, struct error *error);
/* A login has failed. The name of the account, if there is one: names that nobody has are not counted, or they
 * would fill the table. */
void throttle_note(slice address, slice name);

#endif
