#include "vault/ap_req.h"

/* One element of DER (X.690): its tag must be this; its content goes to *out, what follows stays in *rest.
 * Lengths of more than four octets are longer than any token. */
static bool take(slice *rest, unsigned char tag, slice *out)
{
	size_t length, octets, i;

	if (rest->n < 2 || (unsigned char)rest->p[0] != tag)
		return false;
	length = (unsigned char)rest->p[1];
	octets = length & 0x80 ? length & 0x7f : 0;
	if (octets > 4 || rest->n < 2 + octets || length == 0x80)
		return false;
	if (octets)
		for (i = 0, length = 0; i < octets; i++)
			length = length << 8 | (unsigned char)rest->p[2 + i];
	if (length > rest->n - 2 - octets)
		return false;
	*out = (slice){ rest->p + 2 + octets, length };
	*rest = slice_from(*rest, 2 + octets + length);
	return true;
}

/* [tag] inner-tag: what is explicitly tagged and must be alone inside. */
static bool take_inside(slice *rest, unsigned char tag, unsigned char inner, slice *out)
{
	slice content;

	return take(rest, tag, &content) && take(&content, inner, out) && content.n == 0;
}

/* INTEGER of at most 32 bits, the sign's octet aside. */
static bool take_number(slice *rest, unsigned char tag, uint32_t *out)
{
	slice octets;

	if (!take_inside(rest, tag, 0x02, &octets) || octets.n == 0 || octets.n > 5)
		return false;
	*out = 0;
	for (size_t i = 0; i < octets.n; i++)
		*out = *out << 8 | (unsigned char)octets.p[i];
	return true;
}

/* PrincipalName ::= SEQUENCE { name-type [0] Int32, name-string [1] SEQUENCE OF KerberosString } */
static bool read_name(slice name, struct ap_req *out)
{
	uint32_t type;
	slice strings;

	if (!take_number(&name, 0xa0, &type) || !take_inside(&name, 0xa1, 0x30, &strings))
		return false;
	while (strings.n) {
		if (out->component_count == AP_REQ_COMPONENTS ||
		    !take(&strings, 0x1b, &out->components[out->component_count++]))
			return false;
	}
	return out->component_count > 0;
}

/* EncryptedData ::= SEQUENCE { etype [0] Int32, kvno [1] UInt32 OPTIONAL, cipher [2] OCTET STRING } */
static bool read_lock(slice data, struct ap_req *out)
{
	uint32_t enctype;
	slice cipher;

	if (!take_number(&data, 0xa0, &enctype))
		return false;
	out->enctype = (int)enctype;
	out->has_kvno = data.n && (unsigned char)data.p[0] == 0xa1;
	return (!out->has_kvno || take_number(&data, 0xa1, &out->kvno)) &&
	    take_inside(&data, 0xa2, 0x04, &cipher);
}

/* Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0], realm [1], sname [2], enc-part [3] } */
static bool read_ticket(slice ticket, struct ap_req *out)
{
	slice body, name, lock;
	uint32_t version;

	return take(&ticket, 0x61, &body) && take(&body, 0x30, &ticket) &&
	    take_number(&ticket, 0xa0, &version) && version == 5 &&
	    take_inside(&ticket, 0xa1, 0x1b, &out->realm) &&
	    take_inside(&ticket, 0xa2, 0x30, &name) && read_name(name, out) &&
	    take_inside(&ticket, 0xa3, 0x30, &lock) && read_lock(lock, out);
}

bool ap_req_read(slice token, struct ap_req *out)
{
	/* OBJECT IDENTIFIER 1.2.840.113554.1.2.2, then the token's kind: AP-REQ. */
	static const char kerberos[] = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00";
	slice body, head = { kerberos, sizeof kerberos - 1 }, ticket;
	uint32_t version, type;

	*out = (struct ap_req){ 0 };
	if (!take(&token, 0x60, &body) || token.n || !slice_starts(body, head))
		return false;
	token = slice_from(body, head.n);
	/* AP-REQ ::= [APPLICATION 14] SEQUENCE { pvno [0], msg-type [1], ap-options [2], ticket [3], ... } */
	slice options;
	return take(&token, 0x6e, &body) && take(&body, 0x30, &token) &&
	    take_number(&token, 0xa0, &version) && version == 5 &&
	    take_number(&token, 0xa1, &type) && type == 14 && take(&token, 0xa2, &options) &&
	    take(&token, 0xa3, &ticket) && read_ticket(ticket, out);
}
