/*
 * Any bytes as a configuration file: it is read or refused, and never both. A first line "--set
 * PATH=VALUE" is laid over the rest.
 * ${file:...} and file names are looked at, so run it where that does no harm.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "app/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file without a name on any disk, holding these bytes. */
static int make_file(const char *p, size_t n)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, p, n) == (ssize_t)n)
		return fd;
	abort();
}

static void load(const struct config_source *source)
{
	char *errors = NULL;
	size_t n;
	FILE *f = open_memstream(&errors, &n);
	struct config *c;

	if (!f)
		abort();
	c = config_load(source, f);
	fclose(f);
	assert(!c == (n > 0));
	assert(!c || (c->workers > 0 && c->server.n_listen > 0 && c->n_upstreams > 0));
	config_unref(c);
	free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char set[] = "--set ";
	char *text = malloc(size + 1), *end, *equals, path[64];
	struct config_override override;
	struct config_source source = {.file = path, .overrides = &override};
	size_t skip = 0;
	int fd;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	end = memchr(text, '\n', size);
	if (end && strncmp(text, set, strlen(set)) == 0) {
		*end = 0;
		equals = strchr(text, '=');
		if (equals) {
			*equals = 0;
			override = (struct config_override){text + strlen(set), equals + 1};
			source.n_overrides = 1;
			skip = (size_t)(end + 1 - text);
		}
	}
	fd = make_file(text + skip, size - skip);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	load(&source);
	close(fd);
	free(text);
	return 0;
}
