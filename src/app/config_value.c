/* Numbers with units, switches and listen addresses. Nothing is resolved: a host is an address or
 * localhost. */
#include "app/config_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>
#include <sluice/error.h>
#include "stream/options.h"

/* The digits at the start. How many there are; *overflow: the number is too large. */
static size_t take_digits(const char *text, uint64_t *n, bool *overflow)
{
	size_t i;

	*n = 0;
	*overflow = false;
	for (i = 0; text[i] >= '0' && text[i] <= '9'; i++) {
		*overflow |= __builtin_mul_overflow(*n, 10u, n);
		*overflow |= __builtin_add_overflow(*n, (unsigned)(text[i] - '0'), n);
	}
	return i;
}

/* "-5s" is understood well enough to say that it is out of range. */
static bool is_negative(const char *text)
{
	return text[0] == '-' && text[1] >= '0' && text[1] <= '9';
}

int config_count(const char *text, uint64_t *n)
{
	uint64_t value;
	bool overflow;
	size_t digits;

	if (is_negative(text))
		return config_count(text + 1, &value) == -SL_E_SYNTAX ? -SL_E_SYNTAX : -SL_E_LIMIT;
	digits = take_digits(text, &value, &overflow);
	if (digits == 0 || text[digits])
		return -SL_E_SYNTAX;
	if (overflow)
		return -SL_E_LIMIT;
	*n = value;
	return 0;
}

int config_size(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {
		{"B", 1},     {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},
		{"KB", 1000}, {"MB", 1000000},     {"GB", 1000000000},
	};
	uint64_t value;
	bool overflow;
	size_t digits;

	if (is_negative(text))
		return config_size(text + 1, &value) == -SL_E_SYNTAX ? -SL_E_SYNTAX : -SL_E_LIMIT;
	digits = take_digits(text, &value, &overflow);
	if (digits == 0)
		return -SL_E_SYNTAX;
	text += digits;
	if (*text == 0 && value == 0 && !overflow) {
		*bytes = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(text, units[i].unit) != 0)
			continue;
		if (overflow || __builtin_mul_overflow(value, units[i].bytes, &value))
			return -SL_E_LIMIT;
		*bytes = value;
		return 0;
	}
	return -SL_E_SYNTAX;
}

int config_duration(const char *text, uint64_t *ms)
{
	uint64_t value;
	int r;

	if (!is_negative(text))
		return duration_parse(sl_slice_str(text), ms);
	r = duration_parse(sl_slice_str(text + 1), &value);
	return r < 0 ? r : -SL_E_LIMIT;
}

int config_switch(const char *text, bool *on)
{
	static const struct {
		const char *word;
		bool on;
	} words[] = {{"on", true},   {"true", true},   {"yes", true},
		     {"off", false}, {"false", false}, {"no", false}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i].word) != 0)
			continue;
		*on = words[i].on;
		return 0;
	}
	return -SL_E_SYNTAX;
}

void config_address_fini(struct listen_address *a)
{
	free(a->text);
	free(a->host);
	*a = (struct listen_address){0};
}

static const char *const no_memory = "not enough memory";

static const char *unix_address(const char *path, struct listen_address *out)
{
	if (path[0] != '/')
		return "a unix socket needs an absolute path, as in unix:/run/sluice.sock";
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a unix socket has at most 107 bytes";
	out->is_unix = true;
	out->loopback = true;
	out->host = strdup(path);
	return out->host ? NULL : no_memory;
}

static bool is_loopback_v6(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static const char *host_of(const char *host, bool brackets, struct listen_address *out)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (brackets) {
		if (inet_pton(AF_INET6, host, &v6) != 1)
			return "no IPv6 address in the brackets";
		out->loopback = is_loopback_v6(&v6);
	} else if (strcasecmp(host, "localhost") == 0) {
		out->loopback = true;
		host = "127.0.0.1";
	} else if (inet_pton(AF_INET, host, &v4) == 1) {
		out->loopback = ntohl(v4.s_addr) >> 24 == 127;
	} else if (inet_pton(AF_INET6, host, &v6) == 1) {
		return "an IPv6 address stands in brackets, as in [::1]:8080";
	} else {
		return "names are not resolved: use an address such as 127.0.0.1:8080, or "
		       "localhost";
	}
	out->host = strdup(host);
	return out->host ? NULL : no_memory;
}

const char *config_address(const char *text, struct listen_address *out)
{
	const char *colon = strrchr(text, ':'), *from = text, *why;
	bool brackets = text[0] == '[';
	uint64_t port;
	size_t n;
	char *host;

	*out = (struct listen_address){.text = strdup(text)};
	if (!out->text)
		return no_memory;
	if (strncmp(text, "unix:", 5) == 0)
		return unix_address(text + 5, out);
	if (!colon || (brackets && colon[-1] != ']'))
		return "no port: an address is host:port, as in 127.0.0.1:8080";
	if (config_count(colon + 1, &port) == -SL_E_SYNTAX)
		return "the port is no number";
	if (config_count(colon + 1, &port) < 0 || port > UINT16_MAX)
		return "the port must be between 0 and 65535";
	if (colon == text)
		return "no host: an address is host:port, as in 127.0.0.1:8080";
	n = (size_t)(colon - text);
	if (brackets) {
		from++;
		n -= 2;
	}
	host = strndup(from, n);
	if (!host)
		return no_memory;
	why = host_of(host, brackets, out);
	free(host);
	out->port = (uint16_t)port;
	return why;
}

unsigned config_cores(void)
{
	cpu_set_t set;
	long n;

	/* More than 1024 cores do not fit into the set; then all of them count. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (unsigned)CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned)n : 1;
}
