/* Command lines: what they ask for, what they lay over the file, and the one line that says what is
 * wrong. */
#include "unit.h"
#include "config_helper.h"

#include <sluice/error.h>
#include "app/cli.h"

#define ARGS_MAX 12

static int parse(const char *const *args, struct cli *cli, char **errors)
{
	char *argv[ARGS_MAX + 1] = {(char *)"sluice"};
	int argc = 1, r;
	size_t n;
	FILE *f = open_memstream(errors, &n);

	for (; argc < ARGS_MAX && args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	r = cli_parse(argc, argv, cli, f);
	fclose(f);
	return r;
}

static const struct {
	const char *args[ARGS_MAX];
	enum cli_command command;
	const char *file, *upstream;
	const char *overrides; /* "key=value key=value" */
} right[] = {
	{{NULL}, CLI_RUN, NULL, NULL, ""},
	{{"check"}, CLI_CHECK, NULL, NULL, ""},
	{{"demo", "--listen", "127.0.0.1:0"}, CLI_DEMO, NULL, NULL, "listen=[\"127.0.0.1:0\"] "},
	{{"--config", "a.yaml", "check"}, CLI_CHECK, "a.yaml", NULL, ""},
	{{"--config=a=b.yaml"}, CLI_RUN, "a=b.yaml", NULL, ""},
	{{"--upstream", "http://h"}, CLI_RUN, NULL, "http://h", ""},
	{{"--listen=[::1]:1", "--listen", "unix:/a\"b"},
	 CLI_RUN,
	 NULL,
	 NULL,
	 "listen=[\"[::1]:1\",\"unix:/a\\\"b\"] "},
	{{"--workers", "1", "--workers=2"}, CLI_RUN, NULL, NULL, "workers=\"2\" "},
	{{"--log-level", "warn", "--log-format=text", "--log-file", "-"},
	 CLI_RUN,
	 NULL,
	 NULL,
	 "log.level=\"warn\" log.format=\"text\" log.file=\"-\" "},
	{{"--metrics-listen="}, CLI_RUN, NULL, NULL, "metrics.listen=\"\" "},
	{{"--set", "timeouts.connect=1s", "--set=hosts=[a, b]"},
	 CLI_RUN,
	 NULL,
	 NULL,
	 "timeouts.connect=1s hosts=[a, b] "},
	{{"--set", "a="}, CLI_RUN, NULL, NULL, "a= "},
	{{"-h"}, CLI_HELP, NULL, NULL, ""},
	{{"demo", "--help", "--nonsense"}, CLI_HELP, NULL, NULL, ""},
	{{"--version"}, CLI_VERSION, NULL, NULL, ""},
};

START_TEST(a_command_line_is_understood)
{
	struct cli cli;
	char *errors, *all = NULL;
	size_t n;
	FILE *f = open_memstream(&all, &n);

	ck_assert_int_eq(parse(right[_i].args, &cli, &errors), 0);
	ck_assert_str_eq(errors, "");
	ck_assert_int_eq(cli.command, right[_i].command);
	ck_assert(cli.source.demo == (right[_i].command == CLI_DEMO));
	ck_assert_pstr_eq(cli.source.file, right[_i].file);
	ck_assert_pstr_eq(cli.source.upstream_url, right[_i].upstream);
	for (size_t i = 0; i < cli.source.n_overrides; i++)
		fprintf(f, "%s=%s ", cli.source.overrides[i].key, cli.source.overrides[i].value);
	fclose(f);
	ck_assert_str_eq(all, right[_i].overrides);
	cli_fini(&cli);
	cli_fini(&cli);
	free(errors);
	free(all);
}
END_TEST

static const struct {
	const char *args[ARGS_MAX];
	const char *error;
} wrong[] = {
	{{"--lisen", "x"}, "unknown option \"--lisen\" (did you mean \"--listen\"?)"},
	{{"--log_level=x"}, "unknown option \"--log_level\" (did you mean \"--log-level\"?)"},
	{{"-x"}, "unknown option \"-x\""},
	{{"--xyzzy=sk-1"}, "unknown option \"--xyzzy\""},
	{{"chek"}, "unknown command \"chek\" (did you mean \"check\"?)"},
	{{"check", "demo"}, "one command at a time"},
	{{"--listen"}, "--listen wants a value"},
	{{"--listen", "--workers", "1"}, "--listen wants a value"},
	{{"--config", ""}, "--config wants a value"},
	{{"--config", "a", "--config", "b"}, "--config can be given once only"},
	{{"--upstream=a", "--upstream=b"}, "--upstream can be given once only"},
	{{"--set", "sk-1"}, "--set wants PATH=VALUE, as in --set timeouts.connect=2s"},
	{{"--set", "=x"}, "--set wants PATH=VALUE, as in --set timeouts.connect=2s"},
	{{"--workers", "1", "--help=x"}, "--help takes no value"},
};

START_TEST(a_wrong_command_line_is_one_line)
{
	struct cli cli;
	char *errors, want[256];

	ck_assert_int_eq(parse(wrong[_i].args, &cli, &errors), -SL_E_SYNTAX);
	snprintf(want, sizeof(want), "sluice: %s; see sluice --help\n", wrong[_i].error);
	ck_assert_str_eq(errors, want);
	ck_assert_uint_eq(cli.n_overrides, 0);
	free(errors);
}
END_TEST

/* From the command line to the configuration: options win over the file, and errors name them. */
static const struct {
	const char *args[ARGS_MAX];
	const char *errors;
} laid[] = {
	{{"--workers", "0"}, "--workers: must be between 1 and 512, not 0\n"},
	{{"--listen", "127.0.0.1:1", "--listen", "*:1"},
	 "--listen: \"*:1\": names are not resolved: use an address such as 127.0.0.1:8080, or "
	 "localhost\n"},
	{{"--log-level", "inof"},
	 "--log-level: must be debug, info, warn, error or off, not \"inof\" (did you mean "
	 "\"info\"?)\n"},
	{{"--set", "lisen=x"}, "--set lisen: unknown key \"lisen\" (did you mean \"listen\"?)\n"},
	{{"--set", "timeouts={idle: 1ms}"},
	 "--set timeouts: timeouts.idle: must be between 1s and 24h, not 1ms\n"},
	{{"--set", "timeouts=["},
	 "--set timeouts: while parsing a flow node, did not find expected node content\n"},
	{{"--set", "workers.x=1", "--set", "a..b=1", "--set", ".=1"},
	 "--set workers.x: \"workers\" is text, not a mapping\n"
	 "--set a..b: an empty name in the path\n"
	 "--set .: an empty name in the path\n"},
	{{"--upstream", "me:sk-1@host"}, "--upstream: no http:// or https:// URL\n"},
	{{"--upstream", "http://h", "--set", "models.gpt-4.1=upsteam/x"},
	 "--set models.gpt-4.1: unknown upstream \"upsteam\" (did you mean \"upstream\"?)\n"},
	{{"--set", "keys=[{key: sk-1}]"}, "--set keys: keys[0].name: is missing\n"},
};

static struct config *load(const char *const *args, char **errors)
{
	static const char yaml[] = "workers: 2\ntimeouts: {idle: 5s, total: 6s}\nhosts: [a, b]\n"
				   "upstreams: {a: {url: 'http://h'}}\n";
	char directory[] = "/tmp/sluice-test-XXXXXX", path[64];
	struct config *c;
	struct cli cli;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/c.yaml", directory);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(yaml, f);
	fclose(f);
	ck_assert_int_eq(parse(args, &cli, errors), 0);
	free(*errors);
	cli.source.file = path;
	c = helper_load(&cli.source, errors);
	cli_fini(&cli);
	unlink(path);
	rmdir(directory);
	return c;
}

START_TEST(an_error_of_an_option_names_the_option)
{
	char *errors;

	ck_assert_ptr_null(load(laid[_i].args, &errors));
	ck_assert_str_eq(errors, laid[_i].errors);
	ck_assert_ptr_null(strstr(errors, "sk-1"));
	free(errors);
}
END_TEST

START_TEST(options_win_over_the_file)
{
	static const char *const args[] = {"--workers",
					   "3",
					   "--set",
					   "timeouts.idle=7s",
					   "--set=hosts=c",
					   "--set",
					   "upstreams.b.url=http://i",
					   "--set",
					   "models.gpt-4.1=b/x/y",
					   "--listen=[::1]:0",
					   NULL};
	char *errors;
	struct config *c = load(args, &errors);

	ck_assert_str_eq(errors, "");
	ck_assert_uint_eq(c->workers, 3);
	ck_assert_uint_eq(c->server.idle_ms, 7000);
	ck_assert_uint_eq(c->timeouts.total_ms, 6000);
	ck_assert_uint_eq(c->server.n_hosts, 1);
	ck_assert_str_eq(c->server.hosts[0], "c");
	ck_assert_uint_eq(c->n_upstreams, 2);
	ck_assert_str_eq(c->upstreams[1].url, "http://i/v1");
	ck_assert_str_eq(c->routes.models[0].name, "gpt-4.1");
	ck_assert_str_eq(c->routes.models[0].targets[0].model, "x/y");
	ck_assert_str_eq(c->server.listen[0].text, "[::1]:0");
	config_unref(c);
	free(errors);
}
END_TEST

START_TEST(an_upstream_of_the_command_line_replaces_those_of_the_file)
{
	static const char *const args[] = {"--upstream", "http://i", "--set",
					   "upstreams.upstream.key=sk-1", NULL};
	char *errors;
	struct config *c = load(args, &errors);

	ck_assert_str_eq(errors, "");
	ck_assert_uint_eq(c->n_upstreams, 1);
	ck_assert_str_eq(c->upstreams[0].url, "http://i/v1");
	ck_assert_str_eq(c->upstreams[0].key, "sk-1");
	config_unref(c);
	free(errors);
}
END_TEST

#define LOOP(t, test, table) tcase_add_loop_test(t, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *s = suite_create("cli");
	TCase *t = tcase_create("cli");

	tcase_add_checked_fixture(t, helper_clear_environment, NULL);
	LOOP(t, a_command_line_is_understood, right);
	LOOP(t, a_wrong_command_line_is_one_line, wrong);
	LOOP(t, an_error_of_an_option_names_the_option, laid);
	tcase_add_test(t, options_win_over_the_file);
	tcase_add_test(t, an_upstream_of_the_command_line_replaces_those_of_the_file);
	suite_add_tcase(s, t);
	return unit_main(s);
}
