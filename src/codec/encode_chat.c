#include "codec/encode_block.h"

unsigned encode_chat_count(const struct encoder *e, const struct encoder_entry *in)
{
	(void)e, (void)in;
	return 0;
}

void encode_chat(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	(void)e, (void)in, (void)w;
}

void encode_chat_whole(const struct encoder *e, const struct encoder_entry *in, struct sl_window *w)
{
	(void)e, (void)in, (void)w;
}
