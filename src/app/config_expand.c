/* ${env:NAME} and ${file:/path} in a value. Messages name the variable or the file, and nothing of
 * what is in it. */
#include "app/config_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sluice/buf.h>
#include <sluice/error.h>
#include "app/config_report.h"

#define SECRET_FILE_MAX ((size_t)64 << 10)
#define VALUE_MAX       ((size_t)256 << 10)

struct expansion {
	const struct config_node *node;
	struct config_report *report;
	struct sl_buf out;
};

static int put_variable(struct expansion *x, const char *name)
{
	const char *value;

	if (!*name ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") !=
		    strlen(name)) {
		config_complain(x->report, x->node, NULL,
				"${env:NAME} wants the name of a variable");
		return -SL_E_SYNTAX;
	}
	value = getenv(name);
	if (!value) {
		config_complain(x->report, x->node, NULL, "the environment variable %s is not set",
				name);
		return -SL_E_MISSING;
	}
	return sl_buf_put_str(&x->out, value);
}

/* 0 with all of the file behind x->out, or why not. Only regular files: a reload must find the same
 * again. */
static const char *read_secret(struct expansion *x, int fd)
{
	size_t start = x->out.len;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "no regular file";
	do {
		if (sl_buf_reserve(&x->out, 4096) < 0)
			return "too large";
		n = read(fd, x->out.p + x->out.len, 4096);
		if (n < 0)
			return strerror(errno);
		x->out.len += (size_t)n;
		if (x->out.len - start > SECRET_FILE_MAX)
			return "larger than 64 KiB";
	} while (n > 0);
	if (x->out.len > start && memchr(x->out.p + start, 0, x->out.len - start))
		return "a NUL byte in it";
	if (x->out.len > start && x->out.p[x->out.len - 1] == '\n')
		x->out.len--;
	if (x->out.len > start && x->out.p[x->out.len - 1] == '\r')
		x->out.len--;
	return NULL;
}

static int put_file(struct expansion *x, const char *path)
{
	const char *why;
	int fd;

	if (path[0] != '/') {
		config_complain(x->report, x->node, NULL, "${file:/path} wants an absolute path");
		return -SL_E_SYNTAX;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	why = fd < 0 ? strerror(errno) : read_secret(x, fd);
	if (fd >= 0)
		close(fd);
	if (!why)
		return 0;
	config_complain(x->report, x->node, NULL, "the file %s cannot be used: %s", path, why);
	return -SL_E_IO;
}

/* `inside` is what stands between ${ and }. */
static int put_reference(struct expansion *x, const char *inside)
{
	if (strncmp(inside, "env:", 4) == 0)
		return put_variable(x, inside + 4);
	if (strncmp(inside, "file:", 5) == 0)
		return put_file(x, inside + 5);
	config_complain(
		x->report, x->node, NULL,
		"only ${env:NAME} and ${file:/path} are filled in; $${ stands for ${ itself");
	return -SL_E_SYNTAX;
}

static int put_all(struct config_tree *t, struct expansion *x)
{
	const char *text = x->node->text, *dollar, *end;
	char *inside;
	int r;

	for (;;) {
		dollar = strstr(text, "${");
		if (!dollar)
			return sl_buf_put(&x->out, text, strlen(text) + 1);
		r = sl_buf_put(&x->out, text, (size_t)(dollar - text));
		if (r < 0)
			return r;
		if (dollar > text && dollar[-1] == '$') { /* one of the two is there already */
			r = sl_buf_putc(&x->out, '{');
			if (r < 0)
				return r;
			text = dollar + 2;
			continue;
		}
		end = strchr(dollar, '}');
		if (!end) {
			config_complain(x->report, x->node, NULL,
					"${ without its }; $${ stands for ${ itself");
			return -SL_E_SYNTAX;
		}
		inside = config_tree_copy(t, dollar + 2, (size_t)(end - dollar - 2));
		r = inside ? put_reference(x, inside) : -SL_E_NOMEM;
		if (r < 0)
			return r;
		text = end + 1;
	}
}

const char *config_expand(struct config_tree *t, const struct config_node *node,
			  struct config_report *report)
{
	struct expansion x = {.node = node, .report = report};
	const char *value = NULL;
	int r;

	if (node->literal || !strstr(node->text, "${"))
		return node->text;
	sl_buf_init(&x.out, VALUE_MAX);
	r = put_all(t, &x);
	if (r == 0) {
		value = config_tree_copy(t, x.out.p, x.out.len - 1);
		if (!value)
			r = -SL_E_NOMEM;
	}
	if (r == -SL_E_LIMIT)
		config_complain(report, node, NULL, "longer than 256 KiB when it is filled in");
	if (r == -SL_E_NOMEM)
		config_complain_memory(report);
	sl_buf_fini(&x.out);
	return value;
}
