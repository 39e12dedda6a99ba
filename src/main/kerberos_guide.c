#include "main/kerberos_guide.h"

#include <stdio.h>

#include "base/octet.h"
#include "vault/keytab.h"

static void windows(const char *host, const char *realm)
{
	puts("1. On a domain controller of Windows: an account for each service, and its keys\n");
	for (int i = 0; i < KERBEROS_SERVICES; i++) {
		const char *s = kerberos_service_name((enum kerberos_service)i);

		printf(
		    "   New-ADUser hauberk_%s -Enabled $true -PasswordNeverExpires $true "
		    "-KerberosEncryptionType AES128,AES256 -AccountPassword (Read-Host -AsSecureString)\n"
		    "   setspn -S %s/%s hauberk_%s\n"
		    "   ktpass -princ %s/%s@%s -mapuser hauberk_%s -pass * -crypto AES256-SHA1 "
		    "-ptype KRB5_NT_PRINCIPAL -out %s.keytab\n",
		    s, s, host, s, s, host, realm, s, s);
	}
}

static void samba(const char *host)
{
	puts("\n   or on a domain controller of Samba\n");
	for (int i = 0; i < KERBEROS_SERVICES; i++) {
		const char *s = kerberos_service_name((enum kerberos_service)i);

		printf("   samba-tool user create hauberk_%s --random-password\n"
		       "   samba-tool spn add %s/%s hauberk_%s\n"
		       "   samba-tool domain exportkeytab %s.keytab --principal=%s/%s\n",
		    s, s, host, s, s, s, host);
	}
	puts(
	    "\n   Before the export: msDS-SupportedEncryptionTypes must be 24 (AES) at each account, else the\n"
	    "   keys are RC4, which is refused (docs/active-directory.md has the ldbmodify command).");
}

static void server(const char *host, const char *realm)
{
	puts("\n2. On this host: one keytab of the three, which only root reads\n\n   ktutil");
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		printf(
		    "   ktutil:  rkt %s.keytab\n", kerberos_service_name((enum kerberos_service)i));
	printf("   ktutil:  wkt /etc/krb5.keytab\n   ktutil:  q\n   chmod 600 /etc/krb5.keytab\n\n"
	       "3. In /etc/hauberk/hauberk.conf\n\n"
	       "   hostname = \"%s\";\n   kerberos: { keytab = \"/etc/krb5.keytab\"; };\n\n",
	    host);
	printf("4. The domain and its users\n\n   hauberk domain add ");
	for (const char *c = realm; *c; c++)
		putchar(octet_lower(*c));
	printf("\n   hauberk account add USER@");
	for (const char *c = realm; *c; c++)
		putchar(octet_lower(*c));
	puts("\n   Where the mail domain is called otherwise: kerberos.realms in hauberk.conf.\n");
	printf("5. Does it work?\n\n   kinit USER@%s\n   hauberk kerberos check\n\n", realm);
}

static void programs(const char *host)
{
	printf(
	    "6. Mail programs\n\n"
	    "   Thunderbird, Account Settings: Server Settings: Server Name %s, Port 993,\n"
	    "   Connection security SSL/TLS, Authentication method Kerberos / GSSAPI; Outgoing Server (SMTP):\n"
	    "   Server Name %s, Port 465, SSL/TLS, Kerberos / GSSAPI. (POP3: port 995.)\n\n"
	    "   Outlook has no Kerberos on IMAP, POP3 and SMTP. It works with a password over TLS: IMAP %s,\n"
	    "   port 993, SSL/TLS; outgoing port 465, SSL/TLS; the account's password (hauberk account passwd).\n"
	    "   Passwords are not verified against Active Directory yet.\n",
	    host, host, host);
}

void kerberos_guide(const char *host, const char *realm)
{
	printf("Logins with tickets of %s at %s\n\n", realm, host);
	windows(host, realm);
	samba(host);
	server(host, realm);
	programs(host);
}
