#include "codec/encode_block.h"

unsigned encode_responses_count(const struct encoder *e, const struct encoder_entry *in)
{
	(void)e, (void)in;
	return 0;
}

void encode_responses(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	(void)e, (void)in, (void)w;
}

void encode_responses_whole(const struct encoder *e, const struct encoder_entry *in,
			    struct sl_window *w)
{
	(void)e, (void)in, (void)w;
}
