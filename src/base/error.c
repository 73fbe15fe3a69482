/* The names of libsluice's errors. */
#include <sluice/error.h>

#include <stddef.h>

static const char *const names[] = {
	[0] = "success",
	[SL_E_NOMEM] = "out of memory",
	[SL_E_LIMIT] = "limit exceeded",
	[SL_E_SYNTAX] = "invalid syntax",
	[SL_E_MISSING] = "not found",
	[SL_E_TYPE] = "wrong type",
	[SL_E_BUSY] = "busy",
	[SL_E_IO] = "input/output error",
	[SL_E_CLOSED] = "closed by the other side",
	[SL_E_UNSUPPORTED] = "not supported",
};

const char *sl_error_name(int error)
{
	/* Unsigned, because INT_MIN has no positive counterpart. */
	unsigned number = error < 0 ? 0u - (unsigned)error : (unsigned)error;

	if (number >= sizeof(names) / sizeof(*names) || !names[number])
		return "unknown error";
	return names[number];
}
