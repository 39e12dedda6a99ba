/* hauberk.conf(5), written from the rows, in mdoc(7). */
#include "main/manual.h"

#include <stdio.h>
#include <string.h>

static const char head[] =
    ".Dd $Mdocdate$\n"
    ".Dt HAUBERK.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm hauberk.conf\n"
    ".Nd settings of the mail server hauberk\n"
    ".Sh DESCRIPTION\n"
    "The file holds what one machine needs before it can open its databases: names, folders,\n"
    "listeners, certificates, limits.\n"
    "Domains and accounts are not in it; they are changed by the commands of\n"
    ".Xr hauberk 8 .\n"
    ".Pp\n"
    "A setting is written\n"
    ".Ql name = value ; ,\n"
    "a group of them\n"
    ".Ql name = { ... } ; ;\n"
    "the setting\n"
    ".Cm smtp.maxMessageSize\n"
    "is the setting\n"
    ".Cm maxMessageSize\n"
    "in the group\n"
    ".Cm smtp .\n"
    "Texts stand in double quotes.\n"
    "Sizes are numbers of octets, or texts like\n"
    ".Ql \\(dq50 MB\\(dq ;\n"
    "times are numbers of milliseconds, or texts like\n"
    ".Ql \\(dq30 s\\(dq\n"
    "or\n"
    ".Ql \\(dq5 min\\(dq .\n"
    "A line that begins with # is a comment.\n"
    ".Pp\n"
    ".Ic hauberk config check\n"
    "says every mistake with file and line.\n"
    ".Sh SETTINGS\n"
    ".Bl -tag -width Ds\n";

static const char middle[] =
    ".El\n"
    ".Sh LISTENERS\n"
    "The setting\n"
    ".Cm listeners\n"
    "is a list in parentheses; each of its groups is a socket that is listened on.\n"
    ".Bl -tag -width Ds\n";

static const char certificates[] =
    ".El\n"
    ".Sh CERTIFICATES\n"
    "The setting\n"
    ".Cm certificates\n"
    "is a list in parentheses, of at most 1000 groups; each is shown, on every listener with TLS, to\n"
    "clients that ask for one of its hosts by name (SNI): first the exact name, then a wildcard.\n"
    "Everybody else is shown the certificate of the listener or of the group\n"
    ".Cm tls .\n"
    "Clients of a mail domain that ask for the domain's name are served by adding a certificate\n"
    "for that name.\n"
    ".Bl -tag -width Ds\n";

static const char tail[] =
    ".El\n"
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa " DEFAULT_CONF "\n"
    "read unless\n"
    ".Fl c\n"
    "or\n"
    ".Ev HAUBERK_CONF\n"
    "names another.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    ".Bd -literal\n"
    "hostname = \"mail.example.test\";\n"
    "tls = {\n"
    "\tcertificate = \"/etc/hauberk/mail.pem\";\n"
    "\tkey = \"/etc/hauberk/mail.key\";\n"
    "};\n"
    "listeners = (\n"
    "\t{ protocol = \"smtp\"; address = \"::\"; port = 25; },\n"
    "\t{ protocol = \"smtp\"; address = \"::\"; port = 465; tls = \"always\";\n"
    "\t  submission = true; },\n"
    "\t{ protocol = \"imap\"; address = \"::\"; port = 993; tls = \"always\"; }\n"
    ");\n"
    "certificates = (\n"
    "\t{ certificate = \"/etc/hauberk/example.net.pem\"; key = \"/etc/hauberk/example.net.key\"; },\n"
    "\t{ names = [ \"mail.example.com\" ];\n"
    "\t  certificate = [ \"/etc/hauberk/com-ec.pem\", \"/etc/hauberk/com-rsa.pem\" ];\n"
    "\t  key = [ \"/etc/hauberk/com-ec.key\", \"/etc/hauberk/com-rsa.key\" ]; }\n"
    ");\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr hauberk 8\n";

/* Text for mdoc: a backslash, and a dot or a quote at the start, mean something there. */
static void put_text(FILE *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			fputs("\\e", out);
		else if (*p == '"')
			fputs("\\(dq", out);
		else
			fputc(*p, out);
	}
}

static void put_range(FILE *out, const struct conf_row *row)
{
	static const char *const types[] = { [CONF_TEXT] = "text",
		[CONF_TEXTS] = "text or list of texts",
		[CONF_NUMBER] = "number",
		[CONF_SIZE] = "size",
		[CONF_TIME] = "time",
		[CONF_BOOL] = "true or false",
		[CONF_CHOICE] = "one of",
		[CONF_MECHANISMS] = "names of mechanisms, with blanks between them",
		[CONF_IPS] = "networks, ranges and single addresses, with blanks between them" };

	fprintf(out, "%s", types[row->type]);
	if (row->type == CONF_CHOICE)
		for (const char *p = row->choices; *p; p++)
			fprintf(out, "%s%c", p == row->choices ? " " : "", *p == '|' ? ' ' : *p);
	if (row->type == CONF_NUMBER)
		fprintf(out, " from %lld to %lld", (long long)row->least, (long long)row->most);
}

static void put_row(FILE *out, const struct conf_row *row)
{
	fprintf(out, ".It Cm %s\n", row->name);
	put_text(out, row->help);
	fputs(".\n.Pq ", out);
	put_range(out, row);
	if (row->inherits) {
		fprintf(out, "; default that of %s", row->inherits);
	} else if (!row->fallback) {
		fputs("; must be given", out);
	} else if (row->fallback[0]) {
		fputs("; default ", out);
		put_text(out, row->fallback);
	}
	fputc('\n', out);
}

void manual_write(FILE *out)
{
	fputs(head, out);
	for (size_t i = 0; i < conf_row_count; i++)
		put_row(out, &conf_rows[i]);
	fputs(middle, out);
	for (size_t i = 0; i < conf_listener_row_count; i++)
		put_row(out, &conf_listener_rows[i]);
	fputs(certificates, out);
	for (size_t i = 0; i < conf_certificate_row_count; i++)
		put_row(out, &conf_certificate_rows[i]);
	fputs(tail, out);
}
