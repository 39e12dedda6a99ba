/* The events and methods of policies. */
#include "policy/tables.h"

#define RECEIVING  "SMTP Receiving"
#define PROCESSING "Processing"
#define SENDING    "SMTP Sending"
#define REFUSE     "accept reject tmpreject "

static const struct policy_event events[] = {
	{ 'C', "onConnect", RECEIVING, REFUSE "disconnect", false,
	    "a client connected, before the greeting" },
	{ 'E', "onEhlo", RECEIVING, REFUSE "disconnect", false,
	    "EHLO or HELO, again after STARTTLS" },
	{ 'A', "onAuth", RECEIVING, REFUSE "disconnect", true, "after AUTH, succeeded or failed" },
	{ 'M', "onMailFrom", RECEIVING, REFUSE "discard quarantine disconnect", false,
	    "MAIL FROM" },
	{ 'R', "onRcptTo", RECEIVING, REFUSE "discard quarantine disconnect", false,
	    "each RCPT TO" },
	{ 'H', "onHeadersReceived", RECEIVING, REFUSE "discard quarantine disconnect", false,
	    "the header is complete, the body not yet" },
	{ 'B', "onBodyChunk", RECEIVING, REFUSE "discard quarantine disconnect", true,
	    "each piece of the body, at most 64 KiB" },
	{ 'D', "onDataReceived", RECEIVING, REFUSE "discard quarantine disconnect", false,
	    "the whole message is here and scanned, before the reply; once per copy" },
	{ 'P', "onProcess", PROCESSING, REFUSE "discard quarantine", false,
	    "a queued copy is about to be filtered" },
	{ 'L', "onRelay", SENDING, REFUSE "discard quarantine", false,
	    "before each attempt to deliver to a remote domain" },
	{ 'F', "onDeliveryFailure", PROCESSING, "discard", false,
	    "permanent failure, per recipient, before the report" },
	{ 'T', "onTemporaryDeliveryFailure", PROCESSING, "discard", false,
	    "temporary failure, per recipient, after each attempt" },
};

#define CHECK(name, params, outputs, events, meaning, example, engine)                             \
	{                                                                                          \
		name, METHOD_CHECK, params, outputs, events, "", meaning, example, engine, NULL,   \
		    100                                                                            \
	}
#define ACTION(name, params, events, meaning, example)                                             \
	LATER(name, params, events, meaning, example, NULL)
#define LATER(name, params, events, meaning, example, engine)                                      \
	{                                                                                          \
		name, METHOD_ACTION, params, "", events, "", meaning, example, engine, NULL, 10    \
	}

#define AUTHENTICATION "sender authentication"

static const struct policy_method own[] = {
	CHECK("checkSPF", "", "SPFResult SPFExplanation SPFHeloResult SPFPrefix", "M R H D",
	    "may this client send for the sender's domain (RFC 7208)?", "checkSPF() == \"fail\"",
	    NULL),
	CHECK("checkReverseDNS", "", "reverseDNSResult", "C-D",
	    "does the client's name lead back to it?", "checkReverseDNS() == \"noPTR\"", NULL),
	CHECK("checkDNSBL", "DNSBLServer string?@!", "DNSBLResult DNSBLExplanation", "C-D",
	    "is the client listed in a zone?", "checkDNSBL(\"zen.example.net\") != \"\"", NULL),
	CHECK("checkDKIM", "", "DKIMResult DKIMDomains DKIMReplayCount", "D P",
	    "are its signatures good (RFC 6376)?", "checkDKIM() != \"pass\"", AUTHENTICATION),
	CHECK("checkDomainKeys", "", "DomainKeysResult", "D P", "the older signature (RFC 4870)",
	    "checkDomainKeys() == \"pass\"", AUTHENTICATION),
	CHECK("checkARC", "", "ARCResult ARCSealer", "D P",
	    "is its chain of seals whole (RFC 8617)?", "checkARC() == \"pass\"", AUTHENTICATION),
	CHECK("checkDMARC", "", "DMARCResult DMARCPolicy DMARCAlignment", "D P",
	    "does it meet what the From domain asks for (RFC 7489)? Runs SPF and DKIM first",
	    "checkDMARC() == \"fail\"", AUTHENTICATION),
	CHECK("checkGreylist", "", "greylistResult", "R",
	    "were client network, sender, recipient seen before?", "checkGreylist() == \"new\"",
	    "greylisting"),
	CHECK("checkRate", "key string, period duration", "rateCount", "C-D P L",
	    "calls with this key in the last period, this one included",
	    "checkRate(\"%remoteSmtpIp%\", 1h) > 100", NULL),
	CHECK("executeFilters", "pattern string!", "filterResult filterName", "D P",
	    "runs the defined filters whose name matches, in order of priority",
	    "executeFilters(\"av-*\") == \"match\"", "filters"),
	ACTION("addHeader", "headerName string@!, headerValue string@", "M R H D P L",
	    "a new topmost field", "call(addHeader, \"X-Spam\", \"yes\");"),
	ACTION("addIfNotExistsHeader", "headerName string@!, headerValue string@", "M R H D P L",
	    "a new field if there is none of that name",
	    "call(addIfNotExistsHeader, \"X-Spam\", \"no\");"),
	ACTION("modifyHeader", "headerName string@!, headerValue string@", "M R H D P L",
	    "the topmost one's value; added if there is none",
	    "call(modifyHeader, \"Subject\", \"[EXT] %x%\");"),
	ACTION("modifyIfExistsHeader", "headerName string@!, headerValue string@", "M R H D P L",
	    "the topmost one's value, if there is one",
	    "call(modifyIfExistsHeader, \"Subject\", \"-\");"),
	ACTION("removeFirstHeader", "headerName string@!", "M R H D P L", "the topmost one goes",
	    "call(removeFirstHeader, \"X-Old\");"),
	ACTION("removeHeader", "headerName string@!", "M R H D P L", "all of that name go",
	    "call(removeHeader, \"X-Internal\");"),
	ACTION("addRcpt", "rcptAddress address@+", "R H D P", "one recipient more",
	    "call(addRcpt, \"audit@example.org\");"),
	ACTION("discardRcpt", "rcpt address?", "R H D P",
	    "drops a recipient; without argument the one in hand", "call(discardRcpt);"),
	ACTION("redirectTo", "rcpt address+", "R H D P", "replaces this recipient; all of the copy",
	    "call(redirectTo, \"quarantine@example.org\");"),
	ACTION("archiveTo", "rcpt address+", "M R H D P", "a silent extra copy as received",
	    "call(archiveTo, \"archive@example.org\");"),
	LATER("addFilter", "name string!, socket string!", "C-D",
	    "declares a milter for this message",
	    "call(addFilter, \"dlp\", \"inet://127.0.0.1:1981\");", "the filter chain"),
	LATER("skipFilters", "pattern string!", "C-D P",
	    "active filters with such names are left out", "call(skipFilters, \"spam-*\");",
	    "the filter chain"),
	ACTION("fileInto", "folder string!", "R D P", "the folder of local delivery, before Sieve",
	    "call(fileInto, \"Junk\");"),
	ACTION("setFlag", "flag string!", "R D P", "a flag at local delivery, before Sieve",
	    "call(setFlag, \"$Junk\");"),
	LATER("appendText", "text string", "D P", "a disclaimer",
	    "call(appendText, \"Sent by Example.\");", "the filter chain"),
	LATER("signMessage", "domain string!, selector string!", "P L",
	    "DKIM, after all other changes", "call(signMessage, \"example.org\", \"s1\");",
	    "the signing module"),
	LATER("notify", "rcpt address!, text string", "D P F T",
	    "one short message, at most 1 per rule and hour",
	    "call(notify, \"admin@example.org\", \"virus %virusName%\");", "sending"),
	ACTION("log", "level {debug info warning error}, text string", "all", "a line of the log",
	    "call(log, \"info\", \"%ehloHost%\");"),
	{ "header", METHOD_FUNCTION, "name const", "", "H-T", "string p",
	    "the topmost field of that name, decoded, unfolded, as changed so far",
	    "header(\"Subject\")", NULL, NULL, 20 },
	{ "headers", METHOD_FUNCTION, "name const", "", "H-T", "list of string p",
	    "all fields of that name", "headers(\"Received\")", NULL, NULL, 20 },
	{ "orgDomain", METHOD_FUNCTION, "domain domain", "", "all",
	    "domain =", "the organisational domain, by the public suffix list",
	    "orgDomain(mailFromDomain)", "the public suffix list", NULL, 20 },
};

#define OWN (sizeof own / sizeof own[0])

static const char *const tables[] = { "localDomains domain", "trustedNetworks network", NULL };

struct policy_host policy_host_smtp(void)
{
	static struct policy_method all[OWN + 64];
	unsigned count = 0;

	for (size_t i = 0; i < OWN; i++)
		all[count++] = own[i];
	for (unsigned i = 0; i < policy_function_count && count < OWN + 64; i++)
		all[count++] = policy_functions[i];
	return (struct policy_host){ .events = events,
		.event_count = POLICY_EVENTS,
		.variables = policy_variables,
		.variable_count = policy_variable_count,
		.methods = all,
		.method_count = count,
		.tables = tables };
}
