/* role_login: what roles with sessions must know of how clients may log in. */
#ifndef MAIN_ROLE_LOGIN_H
#define MAIN_ROLE_LOGIN_H

#include "main/conf.h"

/* Before the sandbox is locked. */
bool role_login_start(const struct conf *conf, struct error *error);

#endif
