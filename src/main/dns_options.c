#include "main/dns_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "ADDRESS:PORT", an IPv6 address in brackets, as the setting dns.servers writes it; NULL: it is neither. */
static const char *read_server(slice word, struct arena *arena)
{
	size_t colon = word.n;
	uint64_t port = 0;
	struct ip ip;

	while (colon && word.p[colon - 1] != ':')
		colon--;
	slice host = slice_head(word, colon ? colon - 1 : 0);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_head(slice_from(host, 1), host.n - 2);
	if (!ip_parse(host, &ip) || !slice_number(slice_from(word, colon), 65535, &port) || !port)
		return NULL;
	return arena_printf(arena, "%.*s@%u", SLICE_ARG(host), (unsigned)port);
}

int dns_options_take(const struct command *command, int *argc, char **argv, struct arena *arena,
    struct dns_options *out)
{
	const char *word = NULL;

	*out = (struct dns_options){
		.timeout_ms = 5000, .hostname = "", .settings = { .trust_anchor = "" }
	};
	if (!command_conf_path(argc, argv, &out->conf))
		return command_wrong(command, "-c wants a file", NULL);
	if (!command_option(argc, argv, "--dns", &word) ||
	    (word && !(out->server = read_server(slice_of(word), arena))))
		return command_wrong(command, "--dns wants ADDRESS:PORT", word);
	if (!command_option(argc, argv, "--anchor", &out->anchor) ||
	    (out->anchor && !out->anchor[0]))
		return command_wrong(command, "--anchor wants a file", NULL);
	return 0;
}

/* A server named by --dns works without a configuration, too; and it is no way to the root's keys, so that
 * only an anchor that was named with it validates. */
bool dns_options_read(struct dns_options *o)
{
	static struct conf conf; /* the settings point into it */
	struct conf_origin origin;

	if (!o->server || access(o->conf, F_OK) == 0) {
		if (!command_conf(o->conf, &conf, &origin))
			return false;
		o->settings = (struct dns_settings){ .servers = slice_of(conf.dns_servers),
			.stub_zones = slice_of(conf.dns_stub_zones),
			.insecure_zones = slice_of(conf.dns_insecure_zones),
			.trust_anchor = conf.dns_trust_anchor };
		o->hostname = conf.hostname;
		o->timeout_ms = conf.dns_timeout_ms;
	}
	if (o->server)
		o->settings.servers = slice_of(o->server);
	if (o->server || o->anchor)
		o->settings.trust_anchor = o->anchor ? o->anchor : "";
	return true;
}

struct dns *dns_options_start(const struct command *command, const struct dns_settings *settings)
{
	struct error error;
	struct dns *dns = dns_open(settings, &error);

	if (dns)
		dns_start(dns);
	else
		fprintf(stderr, "hauberk %s: %s\n", command->name, error.why);
	return dns;
}

enum dns_validation dns_options_settle(const struct dns *dns, struct deadline deadline)
{
	while (dns_validates(dns) == DNS_UNKNOWN && !deadline_passed(deadline))
		usleep(2000);
	return dns_validates(dns);
}
