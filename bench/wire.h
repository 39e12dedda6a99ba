/* What the load generators share: a connection to a port of this machine, in clear or under TLS. Every failure ends
 * the program, saying what it was. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define WIRE_IN 131072

struct wire {
	int fd;
	SSL *tls; /* NULL: in clear */
	char in[WIRE_IN];
	size_t n;
};

_Noreturn void fail(const char *what, const char *said);
double now(void);
/* A context for clients that never resume. */
SSL_CTX *wire_context(void);
void wire_open(struct wire *w, int port);
void wire_secure(struct wire *w, SSL_CTX *context);
void wire_close(struct wire *w);
void wire_send(struct wire *w, const char *p, size_t n);
/* The next line without its end, in `line` of `size` octets; what does not fit is dropped. */
void wire_line(struct wire *w, char *line, size_t size);
/* Reads, and drops, up to and with a line that begins with `mark`; that line is in `line`. */
void wire_until(struct wire *w, const char *mark, char *line, size_t size);

#endif
