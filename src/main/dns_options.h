/* dns_options: words of commands that ask the domain name system. */
#ifndef MAIN_DNS_OPTIONS_H
#define MAIN_DNS_OPTIONS_H

#include "base/arena.h"
#include "main/command.h"
#include "net/dns.h"

struct dns_options {
	struct dns_settings settings; /* whom to ask */
	const char *hostname;         /* "": not known */
	int64_t timeout_ms;
	/* As the words say. */
	const char *conf, *server, *anchor; /* server, anchor NULL: not named */
};

/* Takes "-c FILE", "--dns ADDRESS:PORT" and "--anchor FILE" out of the words. 0; or the status with which the command
 * ends, after it was said why. */
int dns_options_take(const struct command *command, int *argc, char **argv, struct arena *arena,
    struct dns_options *out);
/* Reads the configuration; with --dns it need not be there. false: it was said why not. */
bool dns_options_read(struct dns_options *options);
/* Starts asking; NULL: it was said why not. */
struct dns *dns_options_start(const struct command *command, const struct dns_settings *settings);
/* What answers are worth: the first question of all tells. */
enum dns_validation dns_options_settle(const struct dns *dns, struct deadline deadline);

#endif
