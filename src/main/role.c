#include "main/role.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/memory.h"
#include "main/command.h"
#include "main/open_log.h"
#include "main/open_tls.h"
#include "net/access.h"
#include "policy/policy.h"
#include "proc/shared.h"
#include "proc/stats.h"
#include "trace/trace.h"

#define MAIN_FD      3
#define START_MS     30000
#define HANDSHAKE_MS 60000
#define SERVICES_MAX 32

static const struct role_program *const programs[] = { &role_control, &role_keys, &role_auth,
	&role_queue, &role_deliver, &role_smtp, &role_imap };

static struct role_start start;
static const struct role_program *program;

int role_descriptor(const struct role_start *s, const char *name)
{
	for (int i = 0; i < s->descriptor_count; i++)
		if (strcmp(s->descriptors[i].name, name) == 0)
			return s->descriptors[i].fd;
	return -1;
}

const char *role_path(struct role_start *s, const char *below)
{
	return arena_printf(s->arena, "%s/%s", s->conf.state_dir, below);
}

/* The second of the start above, the process's number, then room for 16 million sessions a second. */
uint64_t role_first_session(const struct role_start *s)
{
	uint64_t second = (uint64_t)(clock_wall_us() / 1000000) & 0xffffff;

	return second << 32 | (uint64_t)s->role << 28 | (uint64_t)s->instance << 22;
}

/* A handshake takes a moment; what a person may think about is another matter. */
int role_handshake_ms(int64_t silence_ms)
{
	return silence_ms < HANDSHAKE_MS ? (int)silence_ms : HANDSHAKE_MS;
}

static const struct limits *service_limits(const struct conf *c, const char *protocol)
{
	return strcmp(protocol, "smtp") == 0 ? &c->smtp_limits
	    : strcmp(protocol, "pop3") == 0  ? &c->pop3_limits
					     : &c->imap_limits;
}

static const char *scope_of(const struct conf_listener *l, struct arena *arena)
{
	char scope[ACCESS_LISTENER];

	return access_listener(slice_of(l->address), l->port, scope)
	    ? arena_str(arena, slice_of(scope))
	    : NULL;
}

int role_listeners(
    struct role_start *s, const char *protocol, const struct protocol *p, struct listener *out)
{
	struct error never; /* it was read before */
	int n = 0;

	for (int i = 0; i < s->conf.listener_count; i++) {
		const struct conf_listener *l = &s->conf.listeners[i];

		/* Listeners of other roles were not told to this one. */
		if (!l->protocol || strcmp(l->protocol, protocol) != 0)
			continue;
		out[n++] = (struct listener){
			.fd = role_descriptor(s, arena_printf(s->arena, "listener %d", i)),
			.name = open_listener_name(l, s->arena),
			.scope = scope_of(l, s->arena),
			.protocol = p,
			.tls = strcmp(l->tls, "always") == 0 ? LISTENER_TLS
			    : strcmp(l->tls, "no") == 0      ? LISTENER_CLEAR
							     : LISTENER_STARTTLS,
			.plain_login = l->plain_login,
			.submission = l->submission,
			.limits = &l->limits,
			.service_limits = service_limits(&s->conf, protocol),
			.proxies = ip_set_new(slice_of(l->proxy_from), &never),
		};
	}
	return n;
}

/* ---- at run time ---- */

static void take_peer(struct call *call)
{
	enum role role = (enum role)message_get_number(&call->in);
	int instance = (int)message_get_number(&call->in);

	if (message_done(&call->in) && call->fd >= 0 && role < ROLE_COUNT &&
	    instance < ROLE_INSTANCES) {
		peers_add(call->peers, role, instance, call->fd);
		call->fd = -1;
	}
	call_end(call);
}

/* A new key or certificate. Whoever asked is told when it is in use. */
static void take_descriptor(struct call *call)
{
	slice text = message_get_text(&call->in);
	struct error error;
	char name[160];

	/* Not in the start's arena: that never ends, and renewals never stop. */
	snprintf(name, sizeof name, "%.*s", SLICE_ARG(text));
	if (!message_done(&call->in) || call->fd < 0 || open_log_take(name, call->fd) ||
	    !program->descriptor) {
		call_end(call);
		return;
	}
	if (program->descriptor(&start, name, call->fd, &error)) {
		log_info("descriptor.taken", kv_str("name", name));
		call_reply_done(call);
	} else {
		log_warn("descriptor.refused", kv_str("name", name), kv_why(&error));
		call_fail(call, &error);
	}
}

static void begin_drain(void)
{
	static bool draining;

	if (draining)
		return;
	draining = true;
	if (program->drain)
		program->drain(&start);
	else
		peers_stop(start.peers, 0);
}

static void take_drain(struct call *call)
{
	call_end(call);
	begin_drain();
}

static void on_signal(void *context, int signal)
{
	(void)context;
	/* Ctrl-C reaches every process of a terminal; main decides what it means. */
	if (signal == SIGTERM)
		begin_drain();
}

static void on_lost(void *context, enum role role, int instance)
{
	if (role == ROLE_MAIN) {
		log_warn("main.gone", kv_str("why", "main has ended; so does this role"));
		peers_stop(start.peers, 0);
	}
	if (program->lost)
		program->lost(context, role, instance);
}

/* ---- coming to life ---- */

static void watch_signals(struct peers *peers)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	peers_watch_signals(peers, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

/* "3 port" is port of listener 3. */
static bool take_setting(slice name, slice value, struct error *error)
{
	size_t space = slice_find(name, ' ');
	const struct conf_row *row = conf_row_find(conf_rows, conf_row_count, name);
	uint64_t i;

	if (row)
		return conf_set(row, &start.conf, value, start.arena, error);
	row =
	    conf_row_find(conf_listener_rows, conf_listener_row_count, slice_from(name, space + 1));
	if (!row || !slice_number(slice_head(name, space), CONF_LISTENERS - 1, &i))
		return error_local(error, "unknown setting %.*s", SLICE_ARG(name));
	if ((int)i >= start.conf.listener_count)
		start.conf.listener_count = (int)i + 1;
	return conf_set(row, &start.conf.listeners[i], value, start.arena, error);
}

/* One message of the start; *done_out at its end. */
static bool take_start(const struct channel_head *head, struct message_reader *in, int fd,
    bool *done_out, struct error *error)
{
	slice name = { 0 };

	switch (head->type) {
	case MESSAGE_SETTING:
		name = message_get_text(in);
		return take_setting(name, message_get_text(in), error);
	case MESSAGE_DESCRIPTOR:
		name = message_get_text(in);
		if (fd >= 0 && open_log_take(arena_str(start.arena, name), fd))
			return close(fd) == 0;
		if (fd < 0 || start.descriptor_count == ROLE_DESCRIPTORS)
			return error_local(error, "no room for descriptor %.*s", SLICE_ARG(name));
		start.descriptors[start.descriptor_count].name = arena_str(start.arena, name);
		start.descriptors[start.descriptor_count++].fd = fd;
		return true;
	case MESSAGE_PEER: {
		enum role role = (enum role)message_get_number(in);

		peers_add(start.peers, role, (int)message_get_number(in), fd);
		return true;
	}
	case MESSAGE_START:
		*done_out = true;
		return true;
	default:
		return error_local(error, "message %u before the start", head->type);
	}
}

static bool receive_start(struct error *error)
{
	struct channel *main_channel = channel_new(MAIN_FD, ROLE_MAIN, 0, 1);
	struct deadline deadline = deadline_in_ms(START_MS);
	char *buffer = memory_new(1, MESSAGE_MAX);
	bool done = false, ok = true;

	while (ok && !done) {
		struct pollfd p = { .fd = MAIN_FD, .events = POLLIN };
		struct channel_head head;
		size_t n;
		int fd;

		if (poll(&p, 1, deadline_left_ms(deadline)) != 1)
			return error_local(error, "main did not say start");
		enum channel_got got = channel_receive(main_channel, buffer, &n, &fd);
		if (got == CHANNEL_GONE)
			return error_local(error, "main has ended");
		if (got == CHANNEL_EMPTY)
			continue;
		memcpy(&head, buffer, sizeof head);
		struct message_reader in = { .rest = { buffer + sizeof head, n - sizeof head } };
		ok = take_start(&head, &in, fd, &done, error);
	}
	free(buffer);
	free(main_channel);
	return ok;
}

static enum log_level level_of(const char *name)
{
	return strcmp(name, "debug") == 0 ? LOG_DEBUG
	    : strcmp(name, "warn") == 0   ? LOG_WARN
					  : LOG_INFO;
}

static void make_peers(void)
{
	static struct service services[SERVICES_MAX] = {
		{ MESSAGE_PEER, ROLE_BIT(ROLE_MAIN), take_peer },
		{ MESSAGE_DRAIN, ROLE_BIT(ROLE_MAIN), take_drain },
		{ MESSAGE_DESCRIPTOR, ROLE_BIT(ROLE_MAIN), take_descriptor },
	};
	size_t own = program->service_count ? *program->service_count : 0;

	for (size_t i = 0; i < own; i++)
		services[3 + i] = program->services[i];
	start.peers = peers_new(start.role, start.instance, services, 3 + own);
}

static void say_ready(void)
{
	struct message m;

	message_begin(&m, MESSAGE_READY);
	message_put_number(&m, (uint64_t)sandbox_landlock_abi());
	peers_tell(start.peers, ROLE_MAIN, 0, &m, -1);
	message_free(&m);
}

static int live(const char *who)
{
	struct peers_events events = { .context = &start,
		.signal = on_signal,
		.lost = on_lost,
		.added = program->added,
		.tick = program->tick };
	struct error error;

	make_peers();
	if (!receive_start(&error)) {
		log_warn("start.failed", kv_why(&error));
		return 1;
	}
	log_open(who, STDERR_FILENO, level_of(start.conf.log_level));
	stats_open(role_descriptor(&start, "stats"), start.role, start.instance);
	if (role_descriptor(&start, "shared") >= 0)
		shared_open(role_descriptor(&start, "shared"), start.role, start.instance);
	watch_signals(start.peers);
	peers_add(start.peers, ROLE_MAIN, 0, MAIN_FD);
	peers_set_events(start.peers, &events);
	if (!program->start(&start, &error)) {
		log_warn("start.failed", kv_why(&error));
		return 1;
	}
	say_ready();
	return peers_run(start.peers);
}

static int run(int argc, char **argv)
{
	static char who[40];
	uint64_t instance;

	if (argc != 3 || !role_parse(slice_of(argv[1]), &start.role) ||
	    !slice_number(slice_of(argv[2]), ROLE_INSTANCES - 1, &instance)) {
		fprintf(stderr, "hauberk role is started by hauberk serve only\n");
		return 2;
	}
	start.instance = (int)instance;
	start.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
	start.arena = arena_new(1 << 20);
	snprintf(who, sizeof who, "%s.%s", argv[1], argv[2]);
	prctl(PR_SET_NAME, who);
	log_open(who, STDERR_FILENO, LOG_INFO);
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (programs[i]->role == start.role)
			program = programs[i];
	return program ? live(who) : 2;
}

const struct command command_role = { "role", "", "", run };

static void role_trace(struct role_start *of)
{
	const char *process = arena_printf(of->arena, "%s.%d", role_name(of->role), of->instance);

	trace_open(role_path(of, "trace"), process, (int)of->conf.trace_days);
}

static enum policy_action on_error(const char *word)
{
	return strcmp(word, "accept") == 0 ? POLICY_NONE
	    : strcmp(word, "reject") == 0  ? POLICY_REJECT
					   : POLICY_TMPREJECT;
}

void role_policy(struct role_start *of, struct dns *dns)
{
	struct policy_settings settings = { .directory = role_path(of, "directory/directory.db"),
		.trusted = of->conf.smtp_relay_from,
		.hostname = of->conf.hostname,
		.on_error = on_error(of->conf.policy_on_error),
		.deadline_ms = of->conf.policy_deadline_ms,
		.check_ms = of->conf.policy_check_ms,
		.dns = dns };

	role_trace(of);
	policy_start(&settings);
}
