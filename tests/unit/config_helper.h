/* Loads configurations from texts, in a directory of their own, and catches what they complain
 * about. */
#ifndef TESTS_CONFIG_HELPER_H
#define TESTS_CONFIG_HELPER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/config.h"

/* The variables that could decide something are gone. */
static inline void helper_clear_environment(void)
{
	static const char *const names[] = {
		"OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
		"GEMINI_API_KEY", "GOOGLE_API_KEY",  "OLLAMA_HOST",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

/* Into `errors` (NULL: there must be none), which the caller frees. */
static inline struct config *helper_load(const struct config_source *source, char **errors)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	struct config *c = config_load(source, f);

	fclose(f);
	if (errors) {
		*errors = text;
		return c;
	}
	ck_assert_str_eq(text, "");
	ck_assert_ptr_nonnull(c);
	free(text);
	return c;
}

/* A file called c.yaml. The directory is gone at the end, so its path stands in no message. */
static inline struct config *helper_load_text(const char *yaml, size_t n, char **errors)
{
	char directory[] = "/tmp/sluice-test-XXXXXX", path[64];
	struct config_source source = {.file = "c.yaml"};
	struct config *c;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	f = fopen("c.yaml", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(yaml, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	c = helper_load(&source, errors);
	snprintf(path, sizeof(path), "%s/c.yaml", directory);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(directory), 0);
	ck_assert_int_eq(chdir("/"), 0);
	return c;
}

/* The whole text of a file of less than 64 KiB; the caller frees it. */
static inline char *helper_read_file(const char *path)
{
	enum { MOST = 65536 };
	FILE *f = fopen(path, "r");
	char *text = calloc(1, MOST);
	size_t n;

	ck_assert_msg(f && text, "%s cannot be opened", path);
	n = fread(text, 1, MOST, f);
	ck_assert_msg(n > 0 && n < MOST, "%s cannot be read", path);
	fclose(f);
	return text;
}

#endif
