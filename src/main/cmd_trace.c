/* hauberk trace: what happened to a message, and why. */
#include <string.h>

#include "main/command.h"

static int run(int argc, char **argv)
{
	const char *conf, *days = "30", *most = "50";

	if (!command_conf_path(&argc, argv, &conf))
		return command_wrong(&command_trace, "-c wants a file", NULL);
	if (!command_option(&argc, argv, "--days", &days))
		return command_wrong(&command_trace, "--days wants a number", NULL);
	if (!command_option(&argc, argv, "--most", &most))
		return command_wrong(&command_trace, "--most wants a number", NULL);
	if (argc == 3 && strcmp(argv[1], "forget") == 0)
		return client_command(conf, argc, argv, (slice){ 0 });
	if (argc != 2)
		return command_wrong(&command_trace, "say of which message", NULL);
	char *words[] = { "trace", "show", argv[1], (char *)days, (char *)most };
	return client_command(conf, 5, words, (slice){ 0 });
}

const struct command command_trace = { "trace", "tell what happened to a message, and why",
	"usage: hauberk trace QUEUE-ID|SESSION|ADDRESS [--days N] [--most N] [-c FILE]\n"
	"       hauberk trace forget ADDRESS [-c FILE]\n"
	"\n"
	"Prints what is kept of a message: who brought it, what the policy found, checked and decided, every\n"
	"refusal with its reason, and where it was delivered. QUEUE-ID is what the sender was told after 250;\n"
	"SESSION the s= of a log line; ADDRESS that of a sender or recipient, also one that was refused.\n"
	"The newest 50 of the last 30 days, unless said otherwise. Times are UTC.\n"
	"forget overwrites all that is kept of messages from or to an address.\n",
	run };
