#include "vault/throttle.h"

#include <ctype.h>
#include <string.h>

#include "base/ip.h"
#include "proc/shared.h"
#include "vault/login.h"

#define IPV4_PREFIX 24
#define IPV6_PREFIX 48

static struct throttle limits = { .window_s = 600 };

void throttle_init(const struct throttle *wanted)
{
	limits = *wanted;
}

static uint64_t address_key(slice address)
{
	char text[64];

	return shared_key("login", shared_address(address, text));
}

static uint64_t network_key(slice address)
{
	char text[IP_TEXT];
	struct ip ip;

	if (!ip_parse(address, &ip))
		return 0;
	bool ipv6 = ip_write(&ip, text);
	memset(ip.octets + (ipv6 ? IPV6_PREFIX : 96 + IPV4_PREFIX) / 8, 0,
	    sizeof ip.octets - (ipv6 ? IPV6_PREFIX : 96 + IPV4_PREFIX) / 8);
	ip_write(&ip, text);
	return shared_key("login-network", slice_of(text));
}

static uint64_t account_key(slice name)
{
	char folded[LOGIN_NAME_MAX];
	size_t n = name.n < sizeof folded ? name.n : sizeof folded;

	for (size_t i = 0; i < n; i++)
		folded[i] = (char)tolower((unsigned char)name.p[i]);
	return shared_key("login-account", (slice){ folded, n });
}

static bool reached(uint64_t key, int most)
{
	return most > 0 && shared_noted(key, limits.window_s) >= most;
}

static bool wait_a_while(struct error *error, const char *whose, const char *why)
{
	return error_set(error, FAULT_LIMIT, true, whose, "%s", why);
}

bool throttle_peer(slice address, struct error *error)
{
	if (reached(address_key(address), limits.address))
		return wait_a_while(error, "too many failed logins from your address; wait a while",
		    "auth.maxFailures of this address");
	if (reached(network_key(address), limits.network))
		return wait_a_while(error, "too many failed logins from your network; wait a while",
		    "auth.networkMaxFailures of this network");
	return true;
}

bool throttle_account(slice name, struct error *error)
{
	return !reached(account_key(name), limits.account) ||
	    wait_a_while(error, "too many failed logins for this account; wait a while",
		"auth.accountMaxFailures of this account");
}

void throttle_note(slice address, slice name)
{
	shared_note(address_key(address), limits.window_s);
	if (limits.network)
		shared_note(network_key(address), limits.window_s);
	if (name.n && limits.account)
		shared_note(account_key(name), limits.window_s);
}
