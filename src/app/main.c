/*
 * sluice: starts what the command line asks for, then waits for signals.
 *
 *	TERM, INT   drain and exit 0; a second one exits at once with 1
 *	HUP         read the configuration again, and open the log again
 */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "app/cli.h"
#include "app/config.h"
#include "app/config_value.h"
#include "app/demo/demo.h"
#include "app/feeds.h"
#include "app/worker.h"
#include "base/clock.h"
#include "base/log.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2
#define SWEEP_MS    2000
#define SPARE_FILES 64

struct process {
	struct cli cli;
	struct config *config;
	struct worker_shared shared;
	struct worker **workers;
	unsigned n_workers;
	struct feeds *feeds;
	struct demo *demo;
	char demo_url[64];
	int signal_fd;
	bool draining, serving;
	bool exposed; /* it listens where other machines can reach it */
};

/* One file for each client, one for each upstream connection: take what the system lets us have,
 * and say when it is not enough. */
static void raise_file_limit(const struct config *c)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)c->server.connections * 2 + SPARE_FILES;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < need)
		log_event(LOG_WARN, "few_file_descriptors", {"limit", LOG_INT(limit.rlim_cur)},
			  {"needed", LOG_INT(need)});
}

static int block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Listens on one address for all workers, which do not run yet. */
static bool listen_on(struct process *p, const struct listen_address *a, bool metrics_only,
		      uint16_t *port)
{
	int unix_fd = -1;
	for (unsigned i = 0; i < p->n_workers; i++) {
		int fd = a->is_unix && i > 0 ? dup(unix_fd) : server_open_socket(a, port);
		if (fd < 0) {
			fprintf(stderr, "sluice: cannot listen on %s: %s\n", a->text,
				strerror(errno));
			return false;
		}
		unix_fd = fd;
		if (worker_add_listener(p->workers[i], fd, a->is_unix, metrics_only) < 0) {
			fprintf(stderr, "sluice: cannot watch %s: %s\n", a->text, strerror(errno));
			return false;
		}
	}
	return true;
}

static void address_text(const struct listen_address *a, uint16_t port, char *out, size_t size)
{
	if (a->is_unix)
		snprintf(out, size, "unix:%s", a->host);
	else
		snprintf(out, size, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, port);
}

/* metrics.listen, where it is set. Its text was checked when the configuration was read. */
static bool listen_for_metrics(struct process *p)
{
	struct listen_address a = {0};
	uint16_t port = 0;
	if (!p->config->server.metrics_elsewhere)
		return true;
	bool good = config_address(p->config->metrics_listen, &a) == NULL &&
		    listen_on(p, &a, true, &port);
	p->exposed |= !a.loopback;
	config_address_fini(&a);
	return good;
}

static void announce(const struct process *p, const struct listen_address *a, uint16_t port)
{
	char address[300];
	address_text(a, port, address, sizeof(address));
	log_always("listening",
		   (struct log_field[]){{"address", LOG_STR(address)},
					{"tls", LOG_BOOL(p->config->server.tls_cert != NULL)},
					{"workers", LOG_INT(p->n_workers)},
					{"version", LOG_STR(SLUICE_VERSION)},
					{0}});
}

/* What to try with the demo, in words that can be pasted. */
static void print_hints(const struct process *p, uint16_t port)
{
	const struct listen_address *a = &p->config->server.listen[0];
	char at[300];
	if (a->is_unix)
		return;
	address_text(a, port, at, sizeof(at));
	const char *scheme = p->config->server.tls_cert ? "https" : "http";
	printf("\nsluice is running with its built-in demo model. Three things to try:\n\n"
	       "  in a browser    %s://%s/\n"
	       "  in a terminal   curl -N %s://%s/ask -d 'why is the sky blue'\n"
	       "  with an SDK     OPENAI_BASE_URL=%s://%s/v1 OPENAI_API_KEY=none\n\n"
	       "Ctrl-C ends it.\n\n",
	       scheme, at, scheme, at, scheme, at);
	fflush(stdout);
}

static struct config *load(struct process *p, FILE *errors)
{
	struct config_source source = p->cli.source;
	if (p->demo)
		source.upstream_url = p->demo_url;
	return config_load(&source, errors);
}

static bool start_demo(struct process *p)
{
	uint16_t port = 0;
	p->demo = demo_start(&port);
	if (!p->demo) {
		fprintf(stderr, "sluice: cannot start the demo model: %s\n", strerror(errno));
		return false;
	}
	snprintf(p->demo_url, sizeof(p->demo_url), "http://127.0.0.1:%u/v1", port);
	return true;
}

static bool start(struct process *p)
{
	struct config *c = p->config;
	if (log_setup(c->log.level, c->log.format, c->log.file) < 0) {
		fprintf(stderr, "sluice: cannot open the log %s: %s\n", c->log.file,
			strerror(errno));
		return false;
	}
	raise_file_limit(c);
	stream_table_init(&p->shared.table, &c->streams);
	channel_table_init(&p->shared.channels, &c->channels, &p->shared.table.watching);
	p->shared.server = server_shared_new(&c->server);
	p->shared.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->workers = calloc(c->workers, sizeof(struct worker *));
	if (!p->shared.server || p->shared.event_fd < 0 || !p->workers) {
		fprintf(stderr, "sluice: out of memory\n");
		return false;
	}
	if (server_load_tls(p->shared.server, &c->server, stderr) < 0)
		return false;
	for (; p->n_workers < c->workers; p->n_workers++) {
		p->workers[p->n_workers] = worker_new(&p->shared, c);
		if (!p->workers[p->n_workers]) {
			fprintf(stderr, "sluice: cannot make a worker: %s\n", strerror(errno));
			return false;
		}
	}
	p->feeds = feeds_start(&p->shared, worker_loop(p->workers[0]));
	return p->feeds != NULL;
}

/* Listens on all addresses, then lets the workers run, then says so. */
static bool start_serving(struct process *p)
{
	const struct server_options *o = &p->config->server;
	uint16_t *ports = calloc(o->n_listen + 1, sizeof(*ports));
	bool good = ports != NULL;
	for (size_t i = 0; good && i < o->n_listen; i++) {
		good = listen_on(p, &o->listen[i], false, &ports[i]);
		p->exposed |= !o->listen[i].loopback;
	}
	good = good && listen_for_metrics(p);
	for (unsigned i = 0; good && i < p->n_workers; i++)
		if (worker_run(p->workers[i]) < 0) {
			fprintf(stderr, "sluice: cannot start a thread: %s\n", strerror(errno));
			good = false;
		}
	for (size_t i = 0; good && i < o->n_listen; i++)
		announce(p, &o->listen[i], ports[i]);
	if (good && p->cli.command == CLI_DEMO)
		print_hints(p, ports[0]);
	free(ports);
	return good;
}

static void reload(struct process *p)
{
	char *errors = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&errors, &size);
	struct config *c = f ? load(p, f) : NULL;
	/* Addresses stay as they are until a restart, so what the file says of them now proves
	 * nothing. */
	if (c && p->exposed && c->server.n_keys == 0) {
		fputs("keys: are gone, but other machines can reach this server until it is "
		      "started anew",
		      f);
		config_unref(c);
		c = NULL;
	}
	if (f)
		fclose(f);
	log_reopen();
	if (!c) {
		log_event(LOG_ERROR, "reload_failed", {"errors", LOG_STR(errors ? errors : "")});
		free(errors);
		return;
	}
	free(errors);
	log_setup(c->log.level, c->log.format, c->log.file);
	stream_table_configure(&p->shared.table, &c->streams);
	channel_table_configure(&p->shared.channels, &c->channels);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_configure(p->workers[i], c);
	config_unref(p->config);
	p->config = c;
	log_event(LOG_INFO, "reloaded", {"upstreams", LOG_INT(c->n_upstreams)});
}

static bool all_drained(const struct process *p)
{
	for (unsigned i = 0; i < p->n_workers; i++)
		if (!worker_is_drained(p->workers[i]))
			return false;
	return true;
}

static void drain(struct process *p, uint64_t drain_ms)
{
	p->draining = true;
	server_drain(p->shared.server);
	log_event(LOG_INFO, "draining", {"ms", LOG_INT(drain_ms)});
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_drain(p->workers[i], drain_ms);
}

static void take_signal(struct process *p)
{
	struct signalfd_siginfo info;
	while (read(p->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload(p);
		} else if (p->draining) {
			log_event(LOG_WARN, "second_signal", {"signal", LOG_INT(info.ssi_signo)});
			_exit(EXIT_FAILED);
		} else {
			drain(p, p->config->server.drain_ms);
		}
	}
}

/* Until all is drained. */
static void wait_for_the_end(struct process *p)
{
	struct pollfd fds[] = {{.fd = p->signal_fd, .events = POLLIN},
			       {.fd = p->shared.event_fd, .events = POLLIN}};
	while (!all_drained(p)) {
		bool kept = stream_table_figures(&p->shared.table).ended > 0;
		poll(fds, 2, kept ? SWEEP_MS : SWEEP_MS * 5);
		if (fds[0].revents)
			take_signal(p);
		uint64_t n;
		while (read(p->shared.event_fd, &n, sizeof(n)) > 0)
			;
		stream_table_sweep(&p->shared.table, clock_ms());
	}
}

static void stop(struct process *p)
{
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_stop(p->workers[i]);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_join(p->workers[i]);
	feeds_stop(p->feeds);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_free(p->workers[i]);
	for (size_t i = 0; i < p->config->server.n_listen; i++)
		if (p->config->server.listen[i].is_unix && p->serving) /* else it is another's */
			unlink(p->config->server.listen[i].host);
	free(p->workers);
	server_shared_free(p->shared.server);
	channel_table_fini(&p->shared.channels);
	stream_table_fini(&p->shared.table);
	if (p->shared.event_fd >= 0)
		close(p->shared.event_fd);
}

/* Runs until a signal ends it. The exit status. */
static int serve(struct process *p)
{
	p->shared.event_fd = -1;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (start(p)) {
		p->serving = start_serving(p);
		if (!p->serving)
			drain(p, 0);
		wait_for_the_end(p);
	}
	stop(p);
	curl_global_cleanup();
	return p->serving ? EXIT_SUCCESS : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct process p = {0};
	if (cli_parse(argc, argv, &p.cli, stderr) < 0)
		return EXIT_USAGE;
	int status = EXIT_SUCCESS;
	if (p.cli.command == CLI_HELP) {
		cli_print_help(stdout);
	} else if (p.cli.command == CLI_VERSION) {
		cli_print_version(stdout);
	} else {
		p.signal_fd = block_signals();
		if (p.cli.command == CLI_DEMO && !start_demo(&p))
			status = EXIT_FAILED;
		else if (!(p.config = load(&p, stderr)))
			status = EXIT_USAGE;
		else if (p.cli.command == CLI_CHECK)
			puts("the configuration is good");
		else
			status = serve(&p);
		demo_stop(p.demo);
		config_unref(p.config);
		close(p.signal_fd);
	}
	cli_fini(&p.cli);
	return status;
}
