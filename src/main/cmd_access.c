/* hauberk access deny|allow|change|list|remove|test */
#include <string.h>

#include "main/command.h"
#include "main/control.h"

static const struct {
	const char *verb;
	int least, most; /* words after the verb */
} verbs[] = {
	{ "deny", 2, 4 },
	{ "allow", 2, COMMAND_WORDS - 2 },
	{ "change", 2, COMMAND_WORDS - 2 },
	{ "list", 0, 1 },
	{ "remove", 1, 1 },
	{ "test", 2, 2 },
};

static int run(int argc, char **argv)
{
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_access, "-c wants a file", NULL);
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (argc - 2 < verbs[i].least || argc - 2 > verbs[i].most)
			return command_wrong(&command_access, "this wants other words", argv[1]);
		return client_command(path, argc, argv, (slice){ 0 });
	}
	return command_wrong(&command_access, argc > 1 ? "there is no such word" : "say what to do",
	    argc > 1 ? argv[1] : NULL);
}

const struct command command_access = { "access", "say who may connect, and how often",
	"usage: hauberk access deny SCOPE ADDRESSES [priority=N] [note=TEXT] [-c FILE]\n"
	"       hauberk access allow SCOPE ADDRESSES [priority=N] [note=TEXT] [LIMIT=N ...] [-c FILE]\n"
	"       hauberk access change RULE NAME=VALUE... [-c FILE]\n"
	"       hauberk access list [SCOPE] [-c FILE]\n"
	"       hauberk access remove RULE [-c FILE]\n"
	"       hauberk access test SCOPE ADDRESS [-c FILE]\n"
	"\n"
	"SCOPE is a listener such as 192.0.2.1:25, a service (smtp, imap, pop3), or all. ADDRESSES are\n"
	"networks (10.0.0.0/8), ranges (10.0.0.1-10.0.0.9) and single addresses, with commas between them.\n"
	"Rules of a listener are read before those of its service, these before those of all; of those that\n"
	"name the client the one with the lowest priority (100, unless said otherwise) decides. Who is denied\n"
	"is hung up on. Who is allowed has the limits of that rule instead of those of listener and service:\n"
	"maxConnections, maxIntervalConnections within timeInterval, and peerMaxConnections,\n"
	"peerMaxIntervalConnections within peerTimeInterval for each address; 0, or not said: any number.\n"
	"A change holds at once for connections that come; those that are there stay.\n"
	"test says which rule decides for an address.\n",
	run };
