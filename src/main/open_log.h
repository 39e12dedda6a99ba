/*
 * open_log: where the log goes. main opens it, and gives it to each role as the descriptor "log TARGET".
 */
#ifndef MAIN_OPEN_LOG_H
#define MAIN_OPEN_LOG_H

#include "base/log.h"
#include "main/conf.h"

/* fd -1: standard error, which everybody has. */
struct open_log {
	enum log_target target;
	int fd;
};

/* Opens what the configuration names, and logs there from now on. A file is appended to, and made when it
 * is not there. On failure nothing has changed. */
bool open_log(const struct conf *conf, struct open_log *out, struct error *error);
/* In a role, by the descriptor's name: logs there from now on. false: that is no log. */
bool open_log_take(const char *name, int fd);

#endif
