/* What strangers send in place of a ticket: what is read of it lies inside it. */
#include <assert.h>

#include "vault/ap_req.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	slice token = { (const char *)data, size };
	struct ap_req ticket;

	if (!ap_req_read(token, &ticket))
		return 0;
	assert(ticket.component_count > 0 && ticket.component_count <= AP_REQ_COMPONENTS);
	for (int i = 0; i < ticket.component_count; i++) {
		slice part = ticket.components[i];

		assert(part.n == 0 || (part.p >= token.p && part.p + part.n <= token.p + token.n));
	}
	return 0;
}
