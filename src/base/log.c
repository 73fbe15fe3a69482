/* Log lines to a descriptor. */
#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sluice/buf.h>
#include <sluice/error.h>
#include "base/clock.h"

#define LINE_MAX_BYTES 8192

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level = LOG_INFO;
static _Atomic int log_format = LOG_JSON;
static _Atomic(log_sink *) sink;
static char log_path[512];
static pthread_mutex_t setup_lock = PTHREAD_MUTEX_INITIALIZER;

bool log_wants(enum log_level level)
{
	return (int)level >= log_level;
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void put_time(struct sl_buf *b)
{
	int64_t now = clock_unix_ms();
	time_t s = (time_t)(now / 1000);
	struct tm tm;
	gmtime_r(&s, &tm);
	sl_buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		      tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000));
}

static void put_value(struct sl_buf *b, struct log_value v)
{
	switch (v.type) {
	case LOG_T_STR:
		sl_buf_put_json_string(b, sl_slice_str(v.s));
		break;
	case LOG_T_INT:
		sl_buf_printf(b, "%" PRId64, v.i);
		break;
	case LOG_T_FLOAT:
		sl_buf_printf(b, "%.6g", v.f);
		break;
	case LOG_T_BOOL:
		sl_buf_put_str(b, v.i ? "true" : "false");
		break;
	}
}

/* 0, or what the buffer said. */
static int print_line(struct sl_buf *b, bool json, enum log_level level, const char *event,
		      const struct log_field *fields)
{
	sl_buf_put_str(b, json ? "{\"time\":\"" : "");
	put_time(b);
	sl_buf_printf(b, json ? "\",\"level\":\"%s\",\"event\":\"%s\"" : " %-5s %s",
		      level_names[level], event);
	for (const struct log_field *f = fields; f && f->key; f++) {
		sl_buf_printf(b, json ? ",\"%s\":" : " %s=", f->key);
		put_value(b, f->value);
	}
	if (json)
		sl_buf_putc(b, '}');
	return sl_buf_putc(b, '\n');
}

static void write_line(enum log_level level, const char *event, const struct log_field *fields)
{
	bool json = log_format == LOG_JSON;
	log_sink *other = sink;
	struct sl_buf b;
	sl_buf_init(&b, LINE_MAX_BYTES);
	bool good = print_line(&b, json, level, event, fields) == 0;
	if (good) {
		ssize_t n = write(log_fd, b.p, b.len); /* a full disk must not stop the service */
		(void)n;
	}
	if (other && !json) {
		b.len = 0;
		good = print_line(&b, true, level, event, fields) == 0;
	}
	if (other && good)
		other(level, b.p, b.len - 1);
	sl_buf_fini(&b);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	write_line(level, event, fields);
}

void log_always(const char *event, const struct log_field *fields)
{
	write_line(LOG_INFO, event, fields);
}

int log_level_parse(const char *name)
{
	for (int level = LOG_DEBUG; level <= LOG_ERROR; level++)
		if (strcmp(level_names[level], name) == 0)
			return level;
	return -1;
}

void log_set_sink(log_sink *other)
{
	sink = other;
}

static int open_log(const char *file)
{
	if (strcmp(file, "stderr") == 0)
		return STDERR_FILENO;
	if (strcmp(file, "stdout") == 0)
		return STDOUT_FILENO;
	return open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void use_fd(int fd)
{
	int old = atomic_exchange(&log_fd, fd);
	if (old > STDERR_FILENO && old != fd)
		close(old);
}

int log_setup(enum log_level level, enum log_format format, const char *file)
{
	int fd = open_log(file);
	if (fd < 0)
		return -SL_E_IO;
	pthread_mutex_lock(&setup_lock);
	snprintf(log_path, sizeof(log_path), "%s", file);
	log_level = (int)level;
	log_format = (int)format;
	use_fd(fd);
	pthread_mutex_unlock(&setup_lock);
	return 0;
}

void log_reopen(void)
{
	pthread_mutex_lock(&setup_lock);
	int fd = log_path[0] ? open_log(log_path) : -1;
	if (fd >= 0)
		use_fd(fd);
	pthread_mutex_unlock(&setup_lock);
}

bool log_allow(struct log_limit *state, uint32_t per_second)
{
	uint64_t second = clock_ms() / 1000 + 1;
	if (state->second != second) {
		state->second = second;
		state->count = 0;
	}
	return state->count++ < per_second;
}
