/* Reads a client's body once and edits it once. */
#include "codec/request.h"

#include <stdio.h>
#include <sluice/error.h>
#include "codec/json_writer.h"
#include "codec/splice.h"

#define BEDROCK_VERSION "bedrock-2023-05-31"

static int refuse(struct request_fault *fault, const char *code, const char *param,
		  struct json value, struct json body, const char *what)
{
	*fault = (struct request_fault){.code = code, .param = param};
	if (value.raw.p)
		fault->offset = (size_t)(value.raw.p - body.raw.p);
	snprintf(fault->message, sizeof(fault->message), "%s", what);
	return value.type == JSON_NONE ? -SL_E_MISSING : -SL_E_TYPE;
}

static int refuse_json(int r, const struct json_fault *json, struct request_fault *fault)
{
	*fault = (struct request_fault){.code = json->code, .offset = json->offset};
	snprintf(fault->message, sizeof(fault->message),
		 "the body cannot be read as JSON: %s, at byte %zu", json->what, json->offset);
	return r;
}

/* The member that a dialect cannot do without. */
static const struct {
	const char *name;
	bool array_only;
	const char *missing, *wrong;
} needed[] = {
	[SL_DIALECT_OPENAI_CHAT] = {"messages", true, "the body has no `messages`",
				    "`messages` must be an array"},
	[SL_DIALECT_OPENAI_COMPLETIONS] = {"prompt", false, "the body has no `prompt`",
					   "`prompt` must be a string or an array"},
	[SL_DIALECT_OPENAI_JSON] = {"input", false, "the body has no `input`",
				    "`input` must be a string or an array"},
	[SL_DIALECT_RESPONSES] = {"input", false, "the body has no `input`",
				  "`input` must be a string or an array"},
	[SL_DIALECT_ANTHROPIC] = {"messages", true, "the body has no `messages`",
				  "`messages` must be an array"},
	[SL_DIALECT_ANTHROPIC_JSON] = {"messages", true, "the body has no `messages`",
				       "`messages` must be an array"},
};

static int check_needed(struct json body, enum sl_dialect dialect, struct request_fault *fault)
{
	const char *name = needed[dialect].name;
	struct json value = json_get(body, name);

	if (value.type == JSON_ARRAY || (value.type == JSON_STRING && !needed[dialect].array_only))
		return 0;
	if (value.type == JSON_NONE)
		return refuse(fault, "missing_field", name, value, body, needed[dialect].missing);
	return refuse(fault, "invalid_type", name, value, body, needed[dialect].wrong);
}

/* Where the members stand, and whether they are what they have to be. */
static int read_members(struct request_info *info, struct request_fault *fault)
{
	struct json body = info->body;

	info->model_value = json_get(body, "model");
	info->stream_value = json_get(body, "stream");
	info->stream_options = json_get(body, "stream_options");
	switch (info->model_value.type) {
	case JSON_NONE:
	case JSON_STRING:
		break;
	default:
		return refuse(fault, "invalid_type", "model", info->model_value, body,
			      "`model` must be a string");
	}
	switch (info->stream_value.type) {
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
	case JSON_NONE:
		info->stream = info->stream_value.type == JSON_TRUE;
		break;
	default:
		return refuse(fault, "invalid_type", "stream", info->stream_value, body,
			      "`stream` must be true or false");
	}
	switch (info->stream_options.type) {
	case JSON_OBJECT:
		info->include_usage =
			json_get(info->stream_options, "include_usage").type == JSON_TRUE;
		break;
	case JSON_NULL:
	case JSON_NONE:
		break;
	default:
		return refuse(fault, "invalid_type", "stream_options", info->stream_options, body,
			      "`stream_options` must be an object");
	}
	return 0;
}

int request_parse(struct sl_slice body, enum sl_dialect dialect, struct json_limits limits,
		  struct request_info *info, struct request_fault *fault)
{
	struct request_info read = {.text = body, .strings.max = SIZE_MAX};
	struct json_fault json;
	int r;

	r = json_check(body, limits, &json);
	if (r == -SL_E_NOMEM)
		return r;
	if (r == 0)
		r = json_parse(body, &read.body);
	else
		return refuse_json(r, &json, fault);
	if (read.body.type != JSON_OBJECT)
		return refuse(fault, "invalid_type", NULL, read.body, read.body,
			      "the body must be a JSON object");
	r = read_members(&read, fault);
	if (r == 0)
		r = check_needed(read.body, dialect, fault);
	if (r < 0)
		return r;
	if (read.model_value.type == JSON_STRING) {
		r = json_string(read.model_value, &read.strings, NULL);
		if (r < 0) {
			sl_buf_fini(&read.strings);
			return -SL_E_NOMEM;
		}
		read.model = read.named = sl_buf_slice(&read.strings);
	}
	*info = read;
	return 0;
}

void request_info_fini(struct request_info *info)
{
	sl_buf_fini(&info->strings);
	*info = (struct request_info){0};
}

int request_choose_model(struct request_info *info, struct sl_slice model)
{
	int r = sl_buf_put_slice(&info->strings, model);

	if (r == 0)
		info->model = sl_buf_slice(&info->strings);
	return r;
}

struct edit {
	const struct request_info *info;
	struct splice splice;
	struct sl_buf front; /* members that go in front of the first one */
	struct sl_buf model;
};

static size_t offset(const struct edit *e, const char *at)
{
	return (size_t)(at - e->info->text.p);
}

static void replace(struct edit *e, struct json value, struct sl_slice by)
{
	splice_add(&e->splice, offset(e, value.raw.p), value.raw.n, by);
}

static int edit_model(struct edit *e, struct sl_slice model)
{
	int r;

	if (sl_slice_eq(e->info->named, model))
		return 0;
	if (e->info->model_value.type != JSON_NONE) {
		r = sl_buf_put_json_string(&e->model, model);
		replace(e, e->info->model_value, sl_buf_slice(&e->model));
		return r;
	}
	r = sl_buf_put_str(&e->front, "\"model\":");
	if (r == 0)
		r = sl_buf_put_json_string(&e->front, model);
	return r == 0 ? sl_buf_putc(&e->front, ',') : r;
}

static int edit_stream(struct edit *e)
{
	if (e->info->stream_value.type == JSON_NONE)
		return sl_buf_put_str(&e->front, "\"stream\":true,");
	replace(e, e->info->stream_value, SL_LIT("true"));
	return 0;
}

static int edit_usage(struct edit *e)
{
	struct json options = e->info->stream_options;
	struct json include = json_get(options, "include_usage");
	struct json_walk w;
	struct sl_slice key;
	struct json value;
	bool empty;

	if (options.type == JSON_NONE)
		return sl_buf_put_str(&e->front, "\"stream_options\":{\"include_usage\":true},");
	if (options.type == JSON_NULL) {
		replace(e, options, SL_LIT("{\"include_usage\":true}"));
	} else if (include.type != JSON_NONE) {
		replace(e, include, SL_LIT("true"));
	} else {
		json_walk_init(&w, options);
		empty = json_walk_next(&w, &key, &value) == 0;
		splice_add(&e->splice, offset(e, options.raw.p + 1), 0,
			   empty ? SL_LIT("\"include_usage\":true")
				 : SL_LIT("\"include_usage\":true,"));
	}
	return 0;
}

int request_encode(const struct request_info *info, struct sl_slice model, bool ask_usage,
		   struct sl_buf *out)
{
	struct edit e = {.info = info, .front.max = SIZE_MAX, .model.max = SIZE_MAX};
	int r;

	splice_init(&e.splice);
	r = edit_model(&e, model);
	if (r == 0 && info->must_stream && !info->stream)
		r = edit_stream(&e);
	if (r == 0 && ask_usage && (info->stream || info->must_stream) && !info->include_usage)
		r = edit_usage(&e);
	/* Every body has a member that its dialect needs, so the comma behind ours is right. */
	if (r == 0 && e.front.len > 0)
		splice_add(&e.splice, offset(&e, info->body.raw.p + 1), 0, sl_buf_slice(&e.front));
	if (r == 0)
		r = splice_apply(&e.splice, info->text, out);
	sl_buf_fini(&e.front);
	sl_buf_fini(&e.model);
	return r;
}

int request_encode_invoke(const struct request_info *info, struct sl_buf *out)
{
	struct json_writer w;
	struct json_walk walk;
	struct sl_slice key;
	struct json value;
	bool versioned = json_get(info->body, "anthropic_version").type != JSON_NONE;

	json_writer_init(&w, out);
	json_writer_object(&w);
	if (!versioned)
		json_writer_member_string(&w, "anthropic_version", SL_LIT(BEDROCK_VERSION));
	json_walk_init(&walk, info->body);
	while (json_walk_next(&walk, &key, &value) == 1) {
		if (sl_slice_is(key, "model") || sl_slice_is(key, "stream") ||
		    sl_slice_is(key, "thread"))
			continue;
		json_writer_raw_key(&w, key);
		json_writer_token(&w, value);
	}
	json_writer_close(&w);
	return w.failure;
}

static int put_message(struct sl_buf *out, const char *role, struct sl_slice content)
{
	int r = sl_buf_printf(out, "{\"role\":\"%s\",\"content\":", role);

	if (r == 0)
		r = sl_buf_put_json_string(out, content);
	return r == 0 ? sl_buf_putc(out, '}') : r;
}

static int put_prompt(struct sl_buf *out, struct sl_slice model, struct sl_slice system,
		      struct sl_slice prompt)
{
	int r = sl_buf_putc(out, '{');

	if (r == 0 && model.n) {
		r = sl_buf_put_str(out, "\"model\":");
		if (r == 0)
			r = sl_buf_put_json_string(out, model);
		if (r == 0)
			r = sl_buf_putc(out, ',');
	}
	if (r == 0)
		r = sl_buf_put_str(out, "\"messages\":[");
	if (r == 0 && system.n) {
		r = put_message(out, "system", system);
		if (r == 0)
			r = sl_buf_putc(out, ',');
	}
	if (r == 0)
		r = put_message(out, "user", prompt);
	return r == 0 ? sl_buf_put_str(out, "],\"stream\":true}") : r;
}

int request_for_prompt(struct sl_slice model, struct sl_slice system, struct sl_slice prompt,
		       struct sl_buf *out)
{
	size_t start = out->len;
	int r = put_prompt(out, model, system, prompt);

	if (r < 0)
		out->len = start;
	return r;
}
