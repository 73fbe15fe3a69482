/* Where a model goes: tables of names and answers. */
#include "unit.h"

#include <stdlib.h>
#include "stream/route.h"

static struct route_target to_two[] = {{1, NULL}}, to_model[] = {{0, (char *)"org/m"}};
static struct route_model with_rest[] = {
	{(char *)"*", to_two, 1}, {(char *)"fast", to_model, 1}, {(char *)"a/b", to_two, 1}};
static struct route_model without_rest[] = {{(char *)"fast", to_model, 1}};
static struct route_model no_target[] = {{(char *)"fast", NULL, 0}};
static char *names[] = {(char *)"one", (char *)"two"};

static const struct route_table with_star = {with_rest, 3, names, 2};
static const struct route_table without_star = {without_rest, 1, names, 2};
static const struct route_table empty_entry = {no_target, 1, names, 2};
static const struct route_table single = {NULL, 0, names, 1};
static const struct route_table several = {NULL, 0, names, 2};
static const struct route_table nothing = {NULL, 0, NULL, 0};

static const struct {
	const struct route_table *table;
	const char *model;
	enum route_result result;
	size_t upstream;
	const char *asked;
} cases[] = {
	{&with_star, "fast", ROUTE_FOUND, 0, "org/m"},
	{&with_star, "a/b", ROUTE_FOUND, 1, "a/b"},
	{&with_star, "Fast", ROUTE_FOUND, 1, "Fast"},
	{&with_star, "one/x", ROUTE_FOUND, 1, "one/x"},
	{&with_star, "*", ROUTE_FOUND, 1, "*"},
	{&with_star, "", ROUTE_FOUND, 1, ""},
	{&without_star, "fast", ROUTE_FOUND, 0, "org/m"},
	{&without_star, "faster", ROUTE_UNKNOWN, 0, NULL},
	{&without_star, "one/fast", ROUTE_UNKNOWN, 0, NULL},
	{&without_star, "*", ROUTE_UNKNOWN, 0, NULL},
	{&empty_entry, "fast", ROUTE_UNKNOWN, 0, NULL},
	{&single, "gpt", ROUTE_FOUND, 0, "gpt"},
	{&single, "one/gpt", ROUTE_FOUND, 0, "one/gpt"},
	{&several, "two/org/m", ROUTE_FOUND, 1, "org/m"},
	{&several, "one/m", ROUTE_FOUND, 0, "m"},
	{&several, "gpt", ROUTE_BY_LIST, 0, NULL},
	{&several, "org/m", ROUTE_BY_LIST, 0, NULL},
	{&several, "two/", ROUTE_BY_LIST, 0, NULL},
	{&several, "two", ROUTE_BY_LIST, 0, NULL},
	{&several, "/two", ROUTE_BY_LIST, 0, NULL},
	{&several, "", ROUTE_BY_LIST, 0, NULL},
	{&nothing, "gpt", ROUTE_UNKNOWN, 0, NULL},
};

START_TEST(a_name_finds_its_upstream)
{
	size_t upstream = 77;
	struct sl_slice asked = SL_LIT("untouched");
	enum route_result r =
		route_resolve(cases[_i].table, sl_slice_str(cases[_i].model), &upstream, &asked);

	ck_assert_msg(r == cases[_i].result, "%s gives %d", cases[_i].model, (int)r);
	ck_assert_uint_eq(upstream, r == ROUTE_FOUND ? cases[_i].upstream : 77);
	ck_assert(sl_slice_is(asked, r == ROUTE_FOUND ? cases[_i].asked : "untouched"));
}
END_TEST

START_TEST(a_slice_without_bytes_is_a_name_too)
{
	size_t upstream;
	struct sl_slice asked, none = {0};

	ck_assert_int_eq(route_resolve(&several, none, &upstream, &asked), ROUTE_BY_LIST);
	ck_assert_int_eq(route_resolve(&single, none, &upstream, &asked), ROUTE_FOUND);
}
END_TEST

START_TEST(the_default_model_is_the_first_that_has_a_name)
{
	ck_assert_str_eq(route_default_model(&with_star), "fast");
	ck_assert_str_eq(route_default_model(&without_star), "fast");
	ck_assert_ptr_null(route_default_model(&several));
	ck_assert_ptr_null(route_default_model(&nothing));
}
END_TEST

START_TEST(what_is_not_named_belongs_to_the_rest)
{
	static const struct {
		const struct route_table *table;
		bool open, all;
		size_t upstream;
	} open[] = {
		{&with_star, true, false, 1}, {&without_star, false, false, 0},
		{&single, true, true, 0},     {&several, true, true, 0},
		{&nothing, false, false, 0},
	};

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		size_t upstream = 77;
		bool all = false;

		ck_assert(route_open_upstream(open[i].table, &upstream, &all) == open[i].open);
		ck_assert_uint_eq(upstream, open[i].open ? open[i].upstream : 77);
		ck_assert(all == open[i].all);
	}
}
END_TEST

START_TEST(a_table_frees_what_it_holds)
{
	struct route_table t = {0};

	route_table_fini(&t);
	t.models = calloc(1, sizeof(*t.models));
	t.n_models = 1;
	t.models[0].name = strdup("fast");
	t.models[0].targets = calloc(1, sizeof(*t.models[0].targets));
	t.models[0].n_targets = 1;
	t.models[0].targets[0].model = strdup("m");
	t.upstreams = calloc(1, sizeof(*t.upstreams));
	t.upstreams[0] = strdup("one");
	t.n_upstreams = 1;
	route_table_fini(&t);
	ck_assert_ptr_null(t.models);
	ck_assert_uint_eq(t.n_models + t.n_upstreams, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");

	tcase_add_loop_test(t, a_name_finds_its_upstream, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, a_slice_without_bytes_is_a_name_too);
	tcase_add_test(t, the_default_model_is_the_first_that_has_a_name);
	tcase_add_test(t, what_is_not_named_belongs_to_the_rest);
	tcase_add_test(t, a_table_frees_what_it_holds);
	suite_add_tcase(s, t);
	return unit_main(s);
}
