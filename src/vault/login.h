/*
 * login: is this who they say? What SMTP, IMAP and POP3 ask before they let somebody in.
 *
 *     int64_t account;
 *     switch (login_check(directory, name, password, s->deadline, &account, &error)) {
 *     case LOGIN_RIGHT: ...
 *     case LOGIN_WRONG: ...   wrong password, unknown or disabled account: never say which
 *     case LOGIN_FAILED: ...  nobody could say; temporary
 *     }
 *
 * A blocking function for a worker. The role auth does the comparing; the password is only passed on.
 */
#ifndef VAULT_LOGIN_H
#define VAULT_LOGIN_H

#include "base/clock.h"
#include "directory/directory.h"

#define LOGIN_NAME_MAX     320
#define LOGIN_PASSWORD_MAX 1000

enum login_answer {
	LOGIN_RIGHT,
	LOGIN_WRONG,
	LOGIN_FAILED, /* error is filled */
};

enum login_answer login_check(struct directory *directory, slice name, slice password,
    struct deadline deadline, int64_t *account_out, struct error *error);

struct login_account {
	int64_t id;    /* 0: none that may log in */
	bool disabled; /* there is one that may not */
};

/* The account of that name. false: nobody could say. */
bool login_find(struct directory *directory, slice name, struct login_account *account_out,
    struct error *error);

/* A PLAIN message, decoded: [authzid] NUL authcid NUL passwd (RFC 4616 §2). An authzid must be empty
 * or the authcid again: nobody acts for another here. false: malformed, or for another. */
bool login_plain_parse(slice message, slice *name_out, slice *password_out);

#endif
