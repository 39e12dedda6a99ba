/* hauberk: the one program. Each sub-command has a file of its own beside this one. */
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: hauberk COMMAND [--help]\n"
			    "commands:\n"
			    "  version    print the version\n";

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (strcmp(command, "version") == 0) {
		puts("hauberk " HAUBERK_VERSION);
		return 0;
	}
	fputs(usage, stderr);
	return 2;
}
