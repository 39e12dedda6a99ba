#include "main/role_login.h"

#include <string.h>

#include "vault/layer.h"
#include "vault/principal.h"
#include "vault/sasl.h"
#include "vault/throttle.h"

static bool set_policy(
    enum kerberos_service service, const struct conf_login *login, struct error *error)
{
	struct sasl_policy policy = { .secure_login = login->secure_login,
		.plain_login = login->plain_login };

	if (!sasl_types_read(slice_of(login->secure_types), &policy.secure_types, error) ||
	    !sasl_types_read(slice_of(login->plain_types), &policy.plain_types, error))
		return false;
	sasl_policy_set(service, &policy);
	return true;
}

bool role_login_start(const struct conf *c, struct error *error)
{
	sasl_init(c->auth_scram, c->auth_scram_plus);
	throttle_init(&(struct throttle){ .address = (int)c->auth_max_failures,
	    .network = (int)c->auth_network_max_failures,
	    .account = (int)c->auth_account_max_failures,
	    .window_s = (int)(c->auth_failure_window_ms / 1000) });
	sasl_set_layers(c->kerberos_layer);
	sasl_set_certificates(c->auth_certificates);
	principal_init(c->kerberos_realms, c->kerberos_upn_suffixes);
	return set_policy(KERBEROS_SMTP, &c->smtp_login, error) &&
	    set_policy(KERBEROS_IMAP, &c->imap_login, error) &&
	    set_policy(KERBEROS_POP, &c->pop3_login, error) &&
	    (strcmp(c->kerberos_layer, "no") == 0 || layer_warm_up(error));
}
