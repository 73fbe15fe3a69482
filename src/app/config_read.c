/*
 * The readers of the option table's types. A message shows the value as it was written, before
 * anything was filled in, and never that of a key, a header or a URL.
 */
#include "app/config_read.h"

#include <assert.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sluice/error.h>
#include "app/config_schema.h"
#include "app/config_value.h"
#include "upstream/api.h"

static void complain(const struct config_slot *s, const char *why)
{
	config_complain(s->rd->report, s->node, NULL, "%s", why);
}

void config_complain_shown(const struct config_slot *s, const char *why)
{
	const char *text = s->node->text;

	config_complain(s->rd->report, s->node, NULL, "\"%.64s%s\": %s", text,
			strlen(text) > 64 ? "..." : "", why);
}

char *config_read_copy(struct config_reading *rd, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		config_complain_memory(rd->report);
	return copy;
}

const char *config_read_text(struct config_reading *rd, const char *type,
			     const struct config_node *node)
{
	if (node->kind == CONFIG_TEXT)
		return config_expand(rd->tree, node, rd->report);
	config_complain(rd->report, node, NULL, "expected %s, found %s", type,
			config_kind_name(node->kind));
	return NULL;
}

typedef int number_parser(const char *text, uint64_t *n);

/* A bound of the option table. */
static uint64_t bound(number_parser *parse, const char *text)
{
	uint64_t n = 0;
	int r = parse(text, &n);

	assert(r == 0);
	(void)r;
	return n;
}

/* false after a complaint. */
static bool read_number(const struct config_slot *s, number_parser *parse, const char *otherwise,
			uint64_t *n)
{
	int r = parse(s->text, n);

	if (r == -SL_E_SYNTAX) {
		config_complain_shown(s, otherwise);
		return false;
	}
	if (r == 0 && *n >= bound(parse, s->row->low) && *n <= bound(parse, s->row->high))
		return true;
	config_complain(s->rd->report, s->node, NULL, "must be %sbetween %s and %s, not %.64s",
			strstr(s->row->type, "or off") ? "off, or " : "", s->row->low, s->row->high,
			s->node->text);
	return false;
}

static void read_duration(const struct config_slot *s)
{
	uint64_t ms;

	if (read_number(s, config_duration, "no duration: a number with ms, s, m or h", &ms))
		*(uint64_t *)s->into = ms;
}

static void read_duration_or_off(const struct config_slot *s)
{
	bool on;
	uint64_t ms;

	if (config_switch(s->text, &on) == 0 && !on)
		return;
	if (config_duration(s->text, &ms) == 0 && ms == 0)
		return;
	read_duration(s);
}

static void read_size(const struct config_slot *s)
{
	uint64_t bytes;

	if (read_number(s, config_size, "no size: a number with B, KiB, MiB or GiB", &bytes))
		*(uint64_t *)s->into = bytes;
}

static void read_count(const struct config_slot *s)
{
	uint64_t n;

	if (read_number(s, config_count, "no whole number", &n))
		*(uint32_t *)s->into = (uint32_t)n;
}

static void read_workers(const struct config_slot *s)
{
	unsigned cores = config_cores(), most = (unsigned)bound(config_count, s->row->high);
	uint64_t n;

	if (strcasecmp(s->text, "auto") == 0)
		*(unsigned *)s->into = cores < most ? cores : most;
	else if (read_number(s, config_count, "neither auto nor a whole number", &n))
		*(unsigned *)s->into = (unsigned)n;
}

static void read_switch(const struct config_slot *s)
{
	if (config_switch(s->text, s->into) < 0)
		config_complain_shown(s, "neither on nor off");
}

static void read_leave(const struct config_slot *s)
{
	if (leave_parse(sl_slice_str(s->text), s->into) < 0)
		config_complain_shown(
			s, "must be cancel, drain or detach with a time, as in detach 30s");
}

static void read_text(const struct config_slot *s)
{
	if (!*s->text)
		complain(s, "is empty");
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

/* A file that others open later: whether it can be read is told now. */
static void read_file_name(const struct config_slot *s)
{
	if (!*s->text)
		complain(s, "is empty");
	else if (access(s->text, R_OK) < 0)
		config_complain_shown(s, "no file that can be read");
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

/* One of some words, as its number. `all` names them for the message. */
static void read_word(const struct config_slot *s, const char *const *words, const char *all)
{
	struct config_nearest nearest = {.word = s->node->text};
	char hint[128];

	for (unsigned i = 0; words[i]; i++) {
		if (strcasecmp(s->text, words[i]) == 0) {
			*(unsigned *)s->into = i;
			return;
		}
		config_nearest_offer(&nearest, words[i]);
	}
	config_complain(s->rd->report, s->node, NULL, "must be %s, not \"%.64s\"%s", all,
			s->node->text, config_nearest_hint(&nearest, hint, sizeof(hint)));
}

static void read_level(const struct config_slot *s)
{
	static const char *const words[] = {
		[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn",
		[LOG_ERROR] = "error", [LOG_OFF] = "off",   NULL,
	};

	_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a word is an unsigned");
	read_word(s, words, "debug, info, warn, error or off");
}

static void read_format(const struct config_slot *s)
{
	static const char *const words[] = {[LOG_JSON] = "json", [LOG_TEXT] = "text", NULL};

	_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "a word is an unsigned");
	read_word(s, words, "json or text");
}

static void read_api(const struct config_slot *s)
{
	struct config_nearest nearest = {.word = s->node->text};
	char hint[128];

	for (size_t i = 0; i < apis_count; i++) {
		config_nearest_offer(&nearest, apis[i].name);
		if (strcmp(s->text, apis[i].name) == 0) {
			*(enum upstream_api *)s->into = (enum upstream_api)i;
			return;
		}
	}
	config_complain(s->rd->report, s->node, NULL, "unknown api \"%.64s\"%s", s->node->text,
			config_nearest_hint(&nearest, hint, sizeof(hint)));
}

/* Its version path is added when the API is known (config_routes.c). */
static void read_url(const struct config_slot *s)
{
	const char *why = config_base_url(s->text, "", true, s->into);

	if (why)
		complain(s, why);
}

static void read_region(const struct config_slot *s)
{
	size_t n = strlen(s->text);

	if (n == 0 || n > 64 || strspn(s->text, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		config_complain_shown(s, "no region of AWS, which is a word like eu-central-1");
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

static void read_secret(const struct config_slot *s)
{
	if (!*s->text)
		complain(s, "is empty: leave it out where none is needed");
	else if (!config_is_header_text(s->text))
		complain(s, "has a line break or another control character in it");
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

static void read_operation(const struct config_slot *s)
{
	if (strcmp(s->text, "invoke") == 0)
		*(bool *)s->into = true;
	else if (strcmp(s->text, "converse") != 0)
		config_complain_shown(s, "neither converse nor invoke");
}

static void read_proxy(const struct config_slot *s)
{
	const char *why = config_proxy_url(s->text);

	if (why)
		complain(s, why);
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

static void read_key(const struct config_slot *s)
{
	struct upstream_options *up = s->base;

	if (!*s->text)
		complain(s, "is empty: leave it out where no key is needed");
	else if (!config_is_header_text(s->text))
		complain(s, "has a line break or another control character in it");
	else if (strcmp(s->text, "client") == 0)
		up->key_from_client = true;
	else
		up->key = config_read_copy(s->rd, s->text);
}

static const struct {
	const char *type;
	void (*read)(const struct config_slot *s);
	bool takes_text; /* only a text will do, and it comes filled in */
} readers[] = {
	{"address or nothing", config_read_address, true},
	{"addresses", config_read_addresses, false},
	{"api", read_api, true},
	{"caller key", config_read_caller_key, true},
	{"count", read_count, true},
	{"duration or off", read_duration_or_off, true},
	{"duration", read_duration, true},
	{"file", read_file_name, true},
	{"format", read_format, true},
	{"header names", config_read_header_names, false},
	{"headers", config_read_headers, false},
	{"hosts", config_read_hosts, false},
	{"key name", config_read_key_name, true},
	{"key", read_key, true},
	{"leave", read_leave, true},
	{"level", read_level, true},
	{"model names", config_read_model_names, false},
	{"on/off", read_switch, true},
	{"operation", read_operation, true},
	{"origins", config_read_origins, false},
	{"proxy", read_proxy, true},
	{"region", read_region, true},
	{"secret", read_secret, true},
	{"sha256", config_read_sha256, true},
	{"size", read_size, true},
	{"text", read_text, true},
	{"url", read_url, true},
	{"workers", read_workers, true},
};

void config_read_value(struct config_reading *rd, const struct config_option *row,
		       const struct config_node *node, void *base)
{
	struct config_slot slot = {rd, row, node, NULL, base, (char *)base + row->at};

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (strcmp(readers[i].type, row->type) != 0)
			continue;
		if (readers[i].takes_text) {
			slot.text = config_read_text(rd, row->type, node);
			if (!slot.text)
				return;
		}
		readers[i].read(&slot);
		return;
	}
}
