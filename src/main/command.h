/*
 * command: one sub-command of the program a file, cmd_<name>.c.
 *
 * Status of every command: 0 done, 1 trouble found or refused, 2 wrong use.
 */
#ifndef MAIN_COMMAND_H
#define MAIN_COMMAND_H

#include "main/conf.h"
#include "proc/message.h"

#define DEFAULT_CONF "/etc/hauberk/hauberk.conf"

struct command {
	const char *name;
	const char *summary;               /* one line */
	const char *usage;                 /* the --help text */
	int (*run)(int argc, char **argv); /* argv[0] is the name */
};

extern const struct command command_serve, command_status, command_config, command_domain,
    command_account, command_alias, command_access, command_policy, command_kerberos, command_tls,
    command_dns, command_spf, command_trace, command_role;

/* Prints a command's help for --help anywhere (true), else false. */
bool command_help(const struct command *c, int argc, char **argv);
/* Says what is wrong with the use and how it should be; returns 2. */
int command_wrong(const struct command *c, const char *what, const char *word);
/* Takes "NAME VALUE" out of the words; the value stays as it is where the name is not there. false: no value follows. */
bool command_option(int *argc, char **argv, const char *name, const char **value_out);
/* Takes a word out of the words; was it there? */
bool command_flag(int *argc, char **argv, const char *name);
/* Takes "-c FILE" out of the words; the default is $HAUBERK_CONF, else DEFAULT_CONF. false: no FILE. */
bool command_conf_path(int *argc, char **argv, const char **path_out);
/* Reads and checks the file, complaining on standard error. Memory stays until the program ends. */
bool command_conf(const char *path, struct conf *conf_out, struct conf_origin *origin_out);

/* client.c: sends the words to the running server's control role, prints what it answers; the exit
 * status. A password for it is read from standard input when `secret` is set. */
int client_command(const char *conf_path, int argc, char **argv, slice secret);
/* The same, with a file that goes along: a descriptor, which stays the caller's. */
int client_command_file(const char *conf_path, int argc, char **argv, int fd);

#endif
