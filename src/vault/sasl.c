#include "vault/sasl.h"

/* Strongest first: clients that take the first they know take the best. */
static const struct sasl_mechanism *const mechanisms[] = { &sasl_scram_plus, &sasl_scram,
	&sasl_plain, &sasl_login };

#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

void sasl_offer(const struct sasl_host *host, const char *before, struct buf *out)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (mechanisms[i]->offered(host))
			buf_addf(out, "%s%s", before, mechanisms[i]->name);
}

const struct sasl_mechanism *sasl_find(slice name, const struct sasl_host *host)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (slice_eq_nocase(name, slice_of(mechanisms[i]->name)) &&
		    mechanisms[i]->offered(host))
			return mechanisms[i];
	return NULL;
}

void sasl_begin(struct sasl *sasl, const struct sasl_mechanism *mechanism, struct arena *arena)
{
	*sasl = (struct sasl){ .mechanism = mechanism, .arena = arena };
}

enum sasl_result sasl_step(struct sasl *sasl, const struct sasl_host *host, slice response,
    struct buf *challenge_out, struct error *error)
{
	const struct sasl_mechanism *mechanism = sasl->mechanism;

	/* RFC 4422 §3: a client-first mechanism without an initial response gets an empty challenge. */
	if (!response.p && mechanism->client_first && sasl->step == 0)
		return SASL_CONTINUE;
	enum sasl_result result = mechanism->step(sasl, host, response, challenge_out, error);
	sasl->step++;
	if (result != SASL_CONTINUE)
		sasl->mechanism = NULL;
	return result;
}
