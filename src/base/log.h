/*
 * The log: one JSON line an event. Never a prompt, a token or a key: names, ids, numbers and
 * reasons only.
 *
 *	log_event(LOG_INFO, "stream_open", {"stream", LOG_STR(id)}, {"status", LOG_INT(200)});
 *
 * Any thread. A line is written whole by one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_JSON, LOG_TEXT };

struct log_value {
	enum { LOG_T_STR, LOG_T_INT, LOG_T_FLOAT, LOG_T_BOOL } type;
	const char *s;
	int64_t i;
	double f;
};

struct log_field {
	const char *key; /* NULL ends the list */
	struct log_value value;
};

#define LOG_STR(v)   ((struct log_value){.type = LOG_T_STR, .s = (v)})
#define LOG_INT(v)   ((struct log_value){.type = LOG_T_INT, .i = (int64_t)(v)})
#define LOG_FLOAT(v) ((struct log_value){.type = LOG_T_FLOAT, .f = (v)})
#define LOG_BOOL(v)  ((struct log_value){.type = LOG_T_BOOL, .i = (v)})

/* log_event(level, "event", {"key", LOG_STR(x)}, …), one field at least: `event` and the keys are
 * our own words. */
#define log_event(level, event, ...)                                                     \
	do {                                                                             \
		if (log_wants(level))                                                    \
			log_write(level, event, (struct log_field[]){__VA_ARGS__, {0}}); \
	} while (0)

bool log_wants(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* A line that is shown at any level (the "listening" line). */
void log_always(const char *event, const struct log_field *fields);

/* file: "stderr", "stdout" or a path, which is opened for appending (0600). 0 or -SL_E_IO (errno);
 * on failure nothing changes. */
int log_setup(enum log_level level, enum log_format format, const char *file);

/* Opens the file again (after it was rotated). */
void log_reopen(void);

/* "debug", "info", "warn", "error"; -1: none of them. */
int log_level_parse(const char *name);

/* Who else wants each line that is written, as JSON without its line end, on the thread that writes
 * it; it must not log. NULL: nobody. */
typedef void log_sink(enum log_level level, const char *line, size_t n);
void log_set_sink(log_sink *sink);

/* Limits a chatty source: true at most `per_second` times a second for one *state (zeroes at
 * first). */
struct log_limit {
	uint64_t second;
	uint32_t count;
};
bool log_allow(struct log_limit *state, uint32_t per_second);

#endif
