/* hauberk account add|list|passwd|verifier|enable|disable|remove|quota|grant|revoke|delegates */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "main/command.h"

static const struct {
	const char *verb;
	int least, most; /* words after the verb */
	bool secret;
} verbs[] = {
	{ "add", 1, 2, true },
	{ "list", 0, 1, false },
	{ "passwd", 1, 1, true },
	{ "verifier", 1, 1, true },
	{ "enable", 1, 1, false },
	{ "disable", 1, 1, false },
	{ "remove", 1, 2, false },
	{ "quota", 2, 2, false },
	{ "grant", 2, 2, false },
	{ "revoke", 2, 2, false },
	{ "delegates", 0, 1, false },
};

/* One line of standard input, unseen when it is a terminal. */
static bool read_password(char *line, size_t size, slice *out)
{
	struct termios before, quiet;
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;

	if (terminal) {
		fprintf(stderr, "password: ");
		quiet = before;
		quiet.c_lflag &= (tcflag_t)~ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	bool got = fgets(line, (int)size, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	if (!got)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	*out = slice_of(line);
	return out->n > 0;
}

static int run(int argc, char **argv)
{
	const char *path;
	char line[1024];
	slice secret = { 0 };

	if (!command_conf_path(&argc, argv, &path))
		return command_wrong(&command_account, "-c wants a file", NULL);
	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].verb) != 0)
			continue;
		if (strcmp(argv[1], "add") == 0 && argc == 5 && strcmp(argv[3], "--hash") == 0)
			secret = slice_of(argv[--argc]);
		if (argc - 2 < verbs[i].least || argc - 2 > verbs[i].most ||
		    (argc == 4 && strcmp(argv[1], "remove") == 0 &&
			strcmp(argv[3], "--force") != 0) ||
		    (argc == 4 && strcmp(argv[1], "add") == 0 && !secret.n))
			return command_wrong(&command_account, "this wants other words", argv[1]);
		if (verbs[i].secret && !secret.n && !read_password(line, sizeof line, &secret)) {
			fprintf(stderr, "hauberk account: no password on standard input\n");
			return 1;
		}
		int status = client_command(path, argc, argv, secret);
		explicit_bzero(line, sizeof line);
		return status;
	}
	return command_wrong(&command_account,
	    argc > 1 ? "there is no such word" : "say what to do", argc > 1 ? argv[1] : NULL);
}

const struct command command_account = { "account", "add, list, change and remove accounts",
	"usage: hauberk account add ADDRESS [-c FILE]      (password on standard input)\n"
	"       hauberk account add ADDRESS --hash VERIFIER [-c FILE]\n"
	"       hauberk account list [DOMAIN] [-c FILE]\n"
	"       hauberk account passwd ADDRESS [-c FILE]   (password on standard input)\n"
	"       hauberk account verifier ADDRESS [-c FILE] (verifier on standard input)\n"
	"       hauberk account enable ADDRESS [-c FILE]\n"
	"       hauberk account disable ADDRESS [-c FILE]\n"
	"       hauberk account remove ADDRESS [--force] [-c FILE]\n"
	"       hauberk account quota ADDRESS SIZE|domain|none [-c FILE]\n"
	"       hauberk account grant ADDRESS DELEGATE [-c FILE]\n"
	"       hauberk account revoke ADDRESS DELEGATE [-c FILE]\n"
	"       hauberk account delegates [ADDRESS] [-c FILE]\n"
	"\n"
	"A verifier is what another server kept of a password: crypt(5) such as $6$..., {SSHA}, {SSHA256},\n"
	"{SSHA512}, {SHA256} and the like. With one, an account cannot use SCRAM until its next passwd.\n"
	"A quota is a size such as \"500 MB\"; without one of its own an account has its domain's. Mail for an\n"
	"account that is full is refused for the time being (452 4.2.2); what was accepted is stored.\n"
	"A disabled account gets no mail and cannot log in; nothing of it is lost. What a removed\n"
	"account had received stays in its folder. While aliases lead to an account, only --force removes it:\n"
	"it is taken out of them, and those that then lead nowhere are removed too.\n"
	"A delegate may log in with his own Kerberos ticket as the account that he was granted, if his mail\n"
	"program asks for that (SASL's authorization identity). delegates lists pairs of account and delegate.\n",
	run };
