/* The JSON that events carry, in the formats that are made for browsers. */
#ifndef CODEC_ENCODE_JSON_H
#define CODEC_ENCODE_JSON_H

#include "codec/encode.h"

void encode_json_tool_start(const struct sl_event *event, struct sl_window *w);
void encode_json_tool_arguments(const struct sl_event *event, struct sl_window *w);
void encode_json_usage(const struct sl_usage *u, struct sl_window *w);
void encode_json_done(const struct encoder_entry *in, struct sl_window *w);
void encode_json_failed(const struct encoder_entry *in, struct sl_window *w);

#endif
