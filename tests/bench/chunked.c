/* The chunked transfer coding. */
#include "chunked.h"

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte of a size line. */
static bool take_size(struct chunked *c, char b)
{
	if (b == '\n') {
		c->state = c->left ? CHUNKED_DATA : CHUNKED_TRAILER;
		c->in_extension = false;
		return true;
	}
	if (c->in_extension || b == '\r')
		return true;
	if (b == ';' || b == ' ') {
		c->in_extension = true;
		return true;
	}
	int digit = hex_of(b);
	if (digit < 0 || c->left >> 40)
		return false;
	c->left = c->left * 16 + (uint64_t)digit;
	return true;
}

long chunked_next(struct chunked *c, const char *in, size_t len, const char **body,
		  size_t *body_len)
{
	size_t at = 0;
	*body_len = 0;
	while (at < len && c->state != CHUNKED_DONE) {
		switch (c->state) {
		case CHUNKED_SIZE:
			if (!take_size(c, in[at++]))
				return -1;
			break;
		case CHUNKED_DATA:
			*body = in + at;
			*body_len = len - at < c->left ? len - at : (size_t)c->left;
			c->left -= *body_len;
			if (!c->left)
				c->state = CHUNKED_DATA_END;
			return (long)(at + *body_len);
		case CHUNKED_DATA_END:
			if (in[at] != '\r' && in[at] != '\n')
				return -1;
			if (in[at++] == '\n')
				c->state = CHUNKED_SIZE;
			break;
		case CHUNKED_TRAILER:
			if (in[at] == '\n' && !c->trailer_line_full)
				c->state = CHUNKED_DONE;
			else
				c->trailer_line_full =
					in[at] != '\n' && (c->trailer_line_full || in[at] != '\r');
			at++;
			break;
		case CHUNKED_DONE:
			break;
		}
	}
	return (long)at;
}
