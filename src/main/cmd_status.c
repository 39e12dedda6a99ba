/* hauberk status: what main and the roles say of themselves. */
#include "main/command.h"

static int run(int argc, char **argv)
{
	const char *path;

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_status, "-c wants a file", NULL);
	if (argc != 1)
		return command_wrong(&command_status, "it takes no words", argv[1]);
	return client_command(path, argc, argv, (slice){ 0 });
}

const struct command command_status = { "status", "show the processes of the running server",
	"usage: hauberk status [-c FILE]\n"
	"\n"
	"A line a process: role, process id, state, time since its start, how often it was started\n"
	"again, its sandbox, and its counters.\n",
	run };
