/*
 * Options with a key come from the option table; each becomes an override "key=value" in YAML.
 * --set takes YAML as it is, the others a plain text, which is quoted: an address like [::1]:8080
 * would be a list otherwise.
 */
#include "app/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/buf.h>
#include <sluice/error.h>
#include "app/config_report.h"

#define VALUE_MAX ((size_t)1 << 20)

static const struct {
	const char *name;
	enum cli_command command;
} commands[] = {{"check", CLI_CHECK}, {"demo", CLI_DEMO}};

/* Options without a key of the same name. */
static const char *const own_options[] = {"--config", "--upstream", "--set", "--help", "--version"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct parsing {
	struct cli *cli;
	FILE *errors;
	int argc;
	char *const *argv;
	int at; /* the next argument */
	bool has_command;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parsing *p, const char *format, ...)
{
	va_list args;

	fputs("sluice: ", p->errors);
	va_start(args, format);
	vfprintf(p->errors, format, args);
	va_end(args);
	fputs("; see sluice --help\n", p->errors);
	return -SL_E_SYNTAX;
}

/* Takes over the two texts, which may be NULL for want of memory. */
static int add_override(struct cli *cli, char *key, char *value)
{
	struct config_override *grown =
		reallocarray(cli->overrides, cli->n_overrides + 1, sizeof(*grown));

	if (grown)
		cli->overrides = grown;
	if (!grown || !key || !value) {
		free(key);
		free(value);
		return -SL_E_NOMEM;
	}
	cli->overrides[cli->n_overrides++] = (struct config_override){key, value};
	return 0;
}

void cli_fini(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_overrides; i++) {
		free((char *)cli->overrides[i].key);
		free((char *)cli->overrides[i].value);
	}
	free(cli->overrides);
	*cli = (struct cli){0};
}

/* The value of `--option=value` or of `--option value`; NULL when there is none. An option is no
 * value: a forgotten one shall not swallow the next. */
static const char *take_value(struct parsing *p, const char *equals)
{
	if (equals)
		return equals + 1;
	if (p->at == p->argc || strncmp(p->argv[p->at], "--", 2) == 0)
		return NULL;
	return p->argv[p->at++];
}

static int set_path(struct parsing *p, const char *value)
{
	const char *equals = strchr(value, '=');

	if (!equals || equals == value)
		return refuse(p, "--set wants PATH=VALUE, as in --set timeouts.connect=2s");
	return add_override(p->cli, strndup(value, (size_t)(equals - value)), strdup(equals + 1));
}

/* "a" becomes ["a"], then ["a","b"]: an option for a list may be given several times. */
static int put_quoted(struct sl_buf *b, const char *before, const char *value, bool is_list)
{
	int r = 0;

	if (is_list && before)
		r = sl_buf_put(b, before, strlen(before) - 1);
	if (r == 0 && is_list)
		r = sl_buf_putc(b, before ? ',' : '[');
	if (r == 0)
		r = sl_buf_put_json_string(b, sl_slice_str(value));
	if (r == 0 && is_list)
		r = sl_buf_putc(b, ']');
	return r < 0 ? r : sl_buf_put(b, "", 1);
}

static int set_option(struct parsing *p, const struct config_option *row, const char *value)
{
	struct config_override *o = NULL;
	struct sl_buf b;
	int r;

	for (size_t i = 0; i < p->cli->n_overrides; i++) {
		if (strcmp(p->cli->overrides[i].key, row->path) == 0)
			o = &p->cli->overrides[i];
	}
	sl_buf_init(&b, VALUE_MAX);
	r = put_quoted(&b, o ? o->value : NULL, value, strcmp(row->type, "addresses") == 0);
	if (r < 0) {
		sl_buf_fini(&b);
		return r;
	}
	if (!o)
		return add_override(p->cli, strdup(row->path), b.p);
	free((char *)o->value);
	o->value = b.p;
	return 0;
}

static int unknown_option(struct parsing *p, const char *name)
{
	struct config_nearest nearest = {.word = name};
	char hint[128];

	for (size_t i = 0; i < COUNT(own_options); i++)
		config_nearest_offer(&nearest, own_options[i]);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag)
			config_nearest_offer(&nearest, config_options[i].flag);
	}
	return refuse(p, "unknown option \"%s\"%s", name,
		      config_nearest_hint(&nearest, hint, sizeof(hint)));
}

static const struct config_option *find_flag(const char *name)
{
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag && strcmp(config_options[i].flag, name) == 0)
			return &config_options[i];
	}
	return NULL;
}

static int take_option(struct parsing *p, const char *name, const char *equals)
{
	const struct config_option *row = find_flag(name);
	bool config = strcmp(name, "--config") == 0, upstream = strcmp(name, "--upstream") == 0;
	bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
	bool version = strcmp(name, "--version") == 0, set = strcmp(name, "--set") == 0;
	const char **place = config ? &p->cli->source.file : &p->cli->source.upstream_url;
	const char *value;

	if (help || version) {
		if (equals)
			return refuse(p, "%s takes no value", name);
		p->cli->command = help ? CLI_HELP : CLI_VERSION;
		return 0;
	}
	if (!row && !config && !upstream && !set)
		return unknown_option(p, name);
	value = take_value(p, equals);
	if (!value || (!*value && !row)) /* empty is a value of keys, of no file or URL */
		return refuse(p, "%s wants a value", name);
	if (row)
		return set_option(p, row, value);
	if (set)
		return set_path(p, value);
	if (*place)
		return refuse(p, "%s can be given once only", name);
	*place = value;
	return 0;
}

static int take_command(struct parsing *p, const char *word)
{
	struct config_nearest nearest = {.word = word};
	char hint[128];

	for (size_t i = 0; i < COUNT(commands); i++) {
		config_nearest_offer(&nearest, commands[i].name);
		if (strcmp(commands[i].name, word) != 0)
			continue;
		if (p->has_command)
			return refuse(p, "one command at a time");
		p->has_command = true;
		p->cli->command = commands[i].command;
		return 0;
	}
	return refuse(p, "unknown command \"%s\"%s", word,
		      config_nearest_hint(&nearest, hint, sizeof(hint)));
}

static int take_argument(struct parsing *p)
{
	const char *word = p->argv[p->at++], *equals;
	char *name;
	int r;

	if (word[0] != '-')
		return take_command(p, word);
	equals = strchr(word, '=');
	name = strndup(word, equals ? (size_t)(equals - word) : strlen(word));
	if (!name)
		return -SL_E_NOMEM;
	r = take_option(p, name, equals);
	free(name);
	return r;
}

int cli_parse(int argc, char *const *argv, struct cli *cli, FILE *errors)
{
	struct parsing p = {.cli = cli, .errors = errors, .argc = argc, .argv = argv, .at = 1};
	int r = 0;

	*cli = (struct cli){.command = CLI_RUN};
	while (r == 0 && p.at < argc && cli->command != CLI_HELP && cli->command != CLI_VERSION)
		r = take_argument(&p);
	if (r == -SL_E_NOMEM || r == -SL_E_LIMIT)
		fputs("sluice: not enough memory for the command line\n", errors);
	if (r < 0) {
		cli_fini(cli);
		return r;
	}
	cli->source.overrides = cli->overrides;
	cli->source.n_overrides = cli->n_overrides;
	cli->source.demo = cli->command == CLI_DEMO;
	return 0;
}

static const char *placeholder(const char *type)
{
	if (strncmp(type, "address", 7) == 0)
		return "ADDRESS";
	if (strcmp(type, "workers") == 0)
		return "N";
	if (strcmp(type, "file") == 0 || strcmp(type, "text") == 0)
		return "FILE";
	return "WORD";
}

static void print_option(FILE *out, const struct config_option *o)
{
	char left[40];
	bool shown = *o->initial && strcmp(o->initial, "\"\"") != 0;

	snprintf(left, sizeof(left), "%s %s", o->flag, placeholder(o->type));
	fprintf(out, "  %-24s %s", left, o->help);
	if (shown)
		fprintf(out, " (%s)", o->initial);
	fputc('\n', out);
}

void cli_print_help(FILE *out)
{
	fputs("Usage: sluice [check | demo] [OPTION...]\n"
	      "Streams tokens from LLM APIs to any number of viewers.\n"
	      "\n"
	      "  sluice                   serve what the file or the environment says\n"
	      "  sluice demo              serve with a built-in model: nothing else is needed\n"
	      "  sluice check             say whether the configuration is right: exit 0 or 2\n"
	      "\n"
	      "  --config FILE            configuration, YAML; none: the environment decides\n"
	      "  --upstream URL           the one upstream: an OpenAI-compatible API, no key\n"
	      "  --set PATH=VALUE         any key of the file: --set streams.keep=10m\n",
	      out);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag)
			print_option(out, &config_options[i]);
	}
	fputs("  -h, --help; --version\n"
	      "\n"
	      "Environment: OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, OLLAMA_HOST.\n"
	      "All of it and of the file: docs/config.md\n",
	      out);
}

void cli_print_version(FILE *out)
{
	fputs("sluice " SLUICE_VERSION "\n", out);
}
