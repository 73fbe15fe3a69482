/* The option table, the sample and the manual tell the same; the sample is right, and each piece of
 * it harmless. */
#include "unit.h"
#include "config_helper.h"

#include "app/cli.h"
#include "app/config_report.h"
#include "app/config_schema.h"
#include "app/config_tree.h"
#include "upstream/api.h"

#define SAMPLE SOURCE_DIR "/config/sluice.yaml"
#define MANUAL SOURCE_DIR "/docs/config.md"

START_TEST(the_sample_is_right_as_it_stands)
{
	struct config *c = helper_load(&(struct config_source){.file = SAMPLE}, NULL);

	ck_assert_uint_eq(c->n_upstreams, 1);
	ck_assert_str_eq(c->upstreams[0].name, "local");
	ck_assert_ptr_null(c->upstreams[0].key);
	config_unref(c);
}
END_TEST

/* "#key" at the start of a line is an option that is commented out, "# Words" is a comment. */
static void uncomment(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		bool starts = p == text || p[-1] == '\n';

		if (starts && p[0] == '#' && (p[1] != ' ' || p[2] == ' ') && p[1] != '\n')
			continue;
		*to++ = *p;
	}
	*to = 0;
}

/* Any node at that path, "*" being any child. */
static const struct config_node *find(const struct config_node *node, const char *path)
{
	size_t n = strcspn(path, ".");
	const struct config_node *found = NULL;

	if (n == 0)
		return node;
	for (const struct config_node *c = node->first; c && !found; c = c->next) {
		bool any = n == 1 && path[0] == '*';

		if (any || (c->key && strlen(c->key) == n && memcmp(c->key, path, n) == 0))
			found = find(c, path + n + (path[n] == '.'));
	}
	return found;
}

/* Without its comments the sample has each option of the table, with its default. */
START_TEST(the_sample_has_every_option_with_its_default)
{
	struct config_node like = {.origin = "sample", .line = 1};
	struct config_report report = {0};
	struct config_tree tree = {0};
	char *text = helper_read_file(SAMPLE);
	const struct config_node *root;

	if (strncmp(text, "# ", 2) == 0) /* the head of the file shows a command */
		memmove(text, strstr(text, "\n\n"), strlen(strstr(text, "\n\n")) + 1);
	uncomment(text);
	root = config_yaml_parse(&tree, sl_slice_str(text), &like, &report);
	config_report_flush(&report, stderr);
	ck_assert_ptr_nonnull(root);
	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *o = &config_options[i];
		const struct config_node *node = find(root, o->path);

		ck_assert_msg(node != NULL, "%s is not in the sample", o->path);
		if (node->kind == CONFIG_LIST && node->n == 1 && node->first->kind == CONFIG_TEXT)
			node = node->first;
		if (!*o->initial || strcmp(o->path, "keys") == 0)
			continue;
		if (strchr("[{", o->initial[0]) || strcmp(o->initial, "\"\"") == 0)
			ck_assert_msg(config_node_is_empty(node) || !*node->text,
				      "%s is not empty in the sample", o->path);
		else
			ck_assert_msg(strcmp(node->text, o->initial) == 0, "%s is %s in the sample",
				      o->path, node->text);
	}
	config_tree_fini(&tree);
	free(text);
}
END_TEST

START_TEST(the_manual_has_every_option_with_its_default_and_range)
{
	char *text = helper_read_file(MANUAL), want[256];

	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *o = &config_options[i];
		const char *row, *end;

		snprintf(want, sizeof(want), "\n| `%s` |", o->path);
		row = strstr(text, want);
		ck_assert_msg(row != NULL, "%s is not in the manual", o->path);
		end = strchr(row + 1, '\n');
		snprintf(want, sizeof(want), "`%s`", o->initial);
		if (*o->initial && strcmp(o->initial, "\"\"") != 0)
			ck_assert_msg(memmem(row, (size_t)(end - row), want, strlen(want)) != NULL,
				      "%s: the manual does not name its default", o->path);
		snprintf(want, sizeof(want), "%s..%s", o->low ? o->low : "",
			 o->high ? o->high : "");
		if (o->low)
			ck_assert_msg(memmem(row, (size_t)(end - row), want, strlen(want)) != NULL,
				      "%s: the manual does not name its range", o->path);
		if (o->flag)
			ck_assert_msg(strstr(text, o->flag) != NULL, "%s is not in the manual",
				      o->flag);
	}
	free(text);
}
END_TEST

/* The piece of a line of the manual that names it in code; NULL is everywhere. */
static void check_named(const char *row, const char *piece, const char *api)
{
	char want[128];

	snprintf(want, sizeof(want), "`%s`", piece ? piece : "");
	ck_assert_msg(!piece || !*piece ||
			      memmem(row, strcspn(row, "\n"), want, strlen(want)) != NULL,
		      "%s: the manual does not name %s", api, want);
}

START_TEST(sample_and_manual_have_each_api)
{
	char *manual = helper_read_file(MANUAL), *sample = helper_read_file(SAMPLE), want[64];

	for (size_t i = 0; i < apis_count; i++) {
		const struct api *a = &apis[i];
		const char *row;

		snprintf(want, sizeof(want), "\n| `%s` |", a->name);
		row = strstr(manual, want);
		ck_assert_msg(row != NULL, "%s is not in the manual", a->name);
		check_named(row + 1, a->url, a->name);
		check_named(row + 1, a->version, a->name);
		check_named(row + 1, a->auth_header, a->name);
		snprintf(want, sizeof(want), "api: %s", a->name);
		ck_assert_msg(strstr(sample, want) != NULL, "%s is not in the sample", a->name);
	}
	free(manual);
	free(sample);
}
END_TEST

/* The help names each option that there is, and no screen is too small for it. */
START_TEST(the_help_has_every_option_and_fits_one_screen)
{
	char *text = NULL, *line, *rest;
	size_t n, lines = 0;
	FILE *f = open_memstream(&text, &n);

	cli_print_help(f);
	fclose(f);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag)
			ck_assert_ptr_nonnull(strstr(text, config_options[i].flag));
	}
	for (rest = text; (line = strsep(&rest, "\n"));) {
		ck_assert_msg(strlen(line) <= 80, "%s", line);
		lines++;
	}
	ck_assert_uint_le(lines - 1, 24);
	free(text);
}
END_TEST

/* Also with what is commented out there: each error then is that something is not supported yet, or
 * not there. */
START_TEST(the_whole_sample_has_no_unknown_key)
{
	char *text = helper_read_file(SAMPLE), *errors, *line, *rest;
	struct config *c;

	uncomment(strstr(text, "\n\n"));
	c = helper_load_text(text, strlen(text), &errors);
	ck_assert_ptr_null(c);
	for (rest = errors; (line = strsep(&rest, "\n"));)
		ck_assert_msg(!*line || strstr(line, "is not supported yet") ||
				      strstr(line, "is not set") ||
				      strstr(line, "no file that can be read"),
			      "%s", line);
	free(errors);
	free(text);
}
END_TEST

START_TEST(each_beginning_of_the_sample_is_read_or_refused)
{
	char *text = helper_read_file(SAMPLE);
	size_t n = strlen(text);

	uncomment(strstr(text, "\n\n"));
	n = strlen(text);
	for (size_t i = 0; i <= n; i++) {
		char *errors;
		struct config *c = helper_load_text(text, i, &errors);

		ck_assert_msg(!c == !!*errors, "%zu bytes: %s", i, errors);
		config_unref(c);
		free(errors);
	}
	free(text);
}
END_TEST

START_TEST(every_row_of_the_table_is_whole)
{
	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *o = &config_options[i];

		ck_assert_ptr_eq(config_schema_row(o->path), o);
		ck_assert(*o->type && *o->help && o->initial);
		ck_assert(strlen(o->path) < CONFIG_PREFIX_MAX - 2);
		ck_assert(!o->low == !o->high);
		if (o->flag)
			ck_assert(!o->not_yet && strncmp(o->flag, "--", 2) == 0);
		if (!o->not_yet && (strcmp(o->type, "count") == 0 || strcmp(o->type, "size") == 0 ||
				    strncmp(o->type, "duration", 8) == 0))
			ck_assert_ptr_nonnull(o->low);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config_sample");
	TCase *t = tcase_create("sample");

	tcase_set_timeout(t, 100);
	tcase_add_checked_fixture(t, helper_clear_environment, NULL);
	tcase_add_test(t, every_row_of_the_table_is_whole);
	tcase_add_test(t, the_sample_is_right_as_it_stands);
	tcase_add_test(t, the_sample_has_every_option_with_its_default);
	tcase_add_test(t, the_whole_sample_has_no_unknown_key);
	tcase_add_test(t, the_manual_has_every_option_with_its_default_and_range);
	tcase_add_test(t, sample_and_manual_have_each_api);
	tcase_add_test(t, the_help_has_every_option_and_fits_one_screen);
	tcase_add_test(t, each_beginning_of_the_sample_is_read_or_refused);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
