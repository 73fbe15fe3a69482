/* OpenAI's Responses as they are read: what is told of items that come in every way that servers
 * have found, and only once. */
#include <sluice/reader.h>

#include <stdlib.h>
#include <string.h>
#include "collected.h"
#include "unit.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* The events of a reading but for its META and USAGE, a line each. */
static void show_event(struct sl_buf *out, const struct sl_event *e)
{
	static const char *const names[] = {
		[SL_EVENT_TEXT] = "text",           [SL_EVENT_REASONING] = "reasoning",
		[SL_EVENT_REFUSAL] = "refusal",     [SL_EVENT_TOOL_START] = "call",
		[SL_EVENT_TOOL_ARGS] = "args",      [SL_EVENT_FINISH] = "finish",
		[SL_EVENT_SIGNATURE] = "signature", [SL_EVENT_PART_END] = "end",
	};

	switch (e->kind) {
	case SL_EVENT_META:
	case SL_EVENT_USAGE:
		return;
	case SL_EVENT_ERROR:
		sl_buf_printf(out, "error %d %.*s|%.*s\n", (int)e->n0, (int)e->s[2].n, e->s[2].p,
			      (int)e->s[0].n, e->s[0].p);
		return;
	case SL_EVENT_PART_END:
		sl_buf_printf(out, "end %s\n", names[e->n0]);
		return;
	default:
		sl_buf_printf(out, "%s%.0u", names[e->kind], e->index);
		for (int i = 0; i < 2; i++) {
			if (e->s[i].n)
				sl_buf_printf(out, " %.*s", (int)e->s[i].n, e->s[i].p);
		}
		sl_buf_put_str(out, e->n0 ? " withheld\n" : "\n");
	}
}

static void read_all(const struct sl_reader_options *o, struct sl_slice body, struct sl_buf *shown)
{
	struct sl_reader *reader = sl_reader_new(o);
	struct sl_entry entry;
	bool finished = false;

	ck_assert_ptr_nonnull(reader);
	sl_reader_feed(reader, body.p, body.n);
	for (;;) {
		int r = sl_reader_next(reader, &entry);

		ck_assert_int_ge(r, 0);
		for (size_t i = 0; r == 1 && i < entry.n_events; i++)
			show_event(shown, &entry.events[i]);
		if (r == 1)
			continue;
		if (finished)
			break;
		sl_reader_finish(reader, NULL);
		finished = true;
	}
	ck_assert(sl_reader_ended(reader));
	sl_reader_free(reader);
	sl_buf_putc(shown, 0);
}

/* Each: events, and what is told. An event is a line: its type behind "response." and its members;
 * or all of its data. Quotes are single ones, for people's sake. */
static const char *const streams[][2] = {
	/* all four ways */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "output_text.delta 'output_index':0,'delta':'b'\n"
	 "output_text.done 'output_index':0,'text':'ab'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'message','id':'m','content':[{'type':'output_text','"
	 "text':'ab'}]}\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'ab'}]}]}\n",
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* one of them alone */
	{"output_text.done 'output_index':0,'text':'ab'\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "text ab\nfinish stop completed\n"},
	{"output_item.done "
	 "'output_index':0,'item':{'type':'message','id':'m','content':[{'type':'output_text','"
	 "text':'ab'}]}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "text ab\nend text\nfinish stop completed\n"},
	{"completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'ab'}]}]}\n",
	 "text ab\nend text\nfinish stop completed\n"},
	/* left out on the way */
	{"output_text.done 'output_index':0,'text':''\n"
	 "output_item.done 'output_index':0,'item':{'type':'message','content':[{'text':'ab'}]}\n"
	 "completed 'response':{}\n",
	 "text ab\nend text\nfinish stop completed\n"},
	/* the end of it alone */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "output_text.done 'output_index':0,'text':'abc'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'abc'}]}]}\n",
	 "text a\ntext bc\nend text\nfinish stop completed\n"},
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'ab'}]}]}\n",
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* told differently later */
	{"output_text.delta 'output_index':0,'delta':'a '\n"
	 "output_text.done 'output_index':0,'text':'A'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'A.'}]}]}\n",
	 "text a \nend text\nfinish stop completed\n"},
	/* two messages; an item that comes with no id, or another one */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'message','id':'m','content':[{'type':'output_text','"
	 "text':'a'}]}\n"
	 "output_text.delta 'output_index':1,'delta':'a'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'a'}]},{'type':'message','id':'n','content':[{'type':'output_text','"
	 "text':'a'}]}]}\n",
	 "text a\nend text\ntext a\nend text\nfinish stop completed\n"},
	{"output_text.delta 'item_id':'x','output_index':0,'delta':'a'\n"
	 "output_text.delta 'item_id':'y','output_index':0,'delta':'b'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'message','id':'m','content':[{'type':'output_text','"
	 "text':'ab'}]}\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'ab'}]}]}\n",
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	{"output_text.delta 'delta':'a'\n"
	 "output_text.delta 'delta':'b'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'ab'}]}]}\n",
	 "text a\ntext b\nend text\nfinish stop completed\n"},
	/* a new message in the old one's place */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'message','id':'m','content':[{'type':'output_text','"
	 "text':'a'}]}\n"
	 "output_text.delta 'output_index':0,'delta':'b'\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "text a\nend text\ntext b\nfinish stop completed\n"},
	/* a pair in two deltas, and half of one */
	{"output_text.delta 'output_index':0,'delta':'\\ud83d'\n"
	 "output_text.delta 'output_index':0,'delta':'\\ude00'\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "text \xf0\x9f\x98\x80\nfinish stop completed\n"},
	{"output_text.delta 'output_index':0,'delta':'a\\ud83d'\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "text a\ntext \xef\xbf\xbd\nfinish stop completed\n"},
	{"output_text.delta 'output_index':0,'delta':'a\\ud83d'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','id':'m','content':[{'type':"
	 "'output_text','text':'a\\ud83d\\ude00'}]}]}\n",
	 "text a\ntext \xf0\x9f\x98\x80\nend text\nfinish stop completed\n"},
	/* refusals */
	{"refusal.delta 'output_index':0,'delta':'no'\n"
	 "refusal.done 'output_index':0,'refusal':'no.'\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'message','content':[{'type':'refusal'"
	 ",'refusal':'no.'}]}]}\n",
	 "refusal no\nrefusal .\nend refusal\nfinish stop completed\n"},
	/* calls */
	{"output_item.added "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':''}\n"
	 "function_call_arguments.delta 'output_index':0,'delta':'{'\n"
	 "function_call_arguments.delta 'output_index':0,'delta':'}'\n"
	 "function_call_arguments.done 'output_index':0,'arguments':'{}'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':'{}'}\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'function_call','id':'fc','call_id':'"
	 "c1','name':'f','arguments':'{}'}]}\n",
	 "call c1 f\nargs {\nargs }\nend args\nfinish tool_calls completed\n"},
	{"output_item.added "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':''}\n"
	 "function_call_arguments.done 'output_index':0,'arguments':'{}'\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call c1 f\nargs {}\nfinish tool_calls completed\n"},
	{"output_item.added "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':''}\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':'{}'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{"output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':'{}'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{"completed "
	 "'response':{'status':'completed','output':[{'type':'function_call','id':'fc','call_id':'"
	 "c1','name':'f','arguments':'{}'},{'type':'function_call','id':'fc','call_id':'c2','name':"
	 "'f','arguments':'[]'}]}\n",
	 "call c1 f\nargs {}\nend args\ncall1 c2 f\nargs1 []\nend args\nfinish tool_calls "
	 "completed\n"},
	{"output_item.added "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':''}\n"
	 "output_item.added "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c2','name':'f','"
	 "arguments':''}\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':'1'}\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c2','name':'f','"
	 "arguments':'2'}\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'function_call','id':'fc','call_id':'"
	 "c2','name':'f','arguments':'2'}]}\n",
	 "call c1 f\ncall1 c2 f\nargs 1\nend args\nargs1 2\nend args\nfinish tool_calls "
	 "completed\n"},
	/* a name that comes late: the call begins with it */
	{"output_item.added "
	 "'output_index':0,'item':{'type':'function_call','call_id':'c1','name':''}\n"
	 "function_call_arguments.delta 'output_index':0,'delta':'{}'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'function_call','id':'fc','call_id':'c1','name':'f','"
	 "arguments':'{}'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call c1 f\nargs {}\nend args\nfinish tool_calls completed\n"},
	/* without a call id */
	{"output_item.added 'output_index':0,'item':{'type':'function_call','id':'fc','name':'f'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call fc f\nfinish tool_calls completed\n"},
	/* a custom tool's */
	{"output_item.added "
	 "'output_index':0,'item':{'type':'custom_tool_call','call_id':'c','name':'sh','input':''}"
	 "\n"
	 "custom_tool_call_input.delta 'output_index':0,'delta':'ls'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'custom_tool_call','call_id':'c','name':'sh','input':'ls "
	 "\\'a\\''}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "call c sh\nargs {\"input\":\"ls \\\"a\\\"\"}\nend args\nfinish tool_calls completed\n"},
	/* reasoning: parts of a summary, the text before the summary, either alone, a signature */
	{"reasoning_summary_text.delta 'output_index':0,'summary_index':0,'delta':'a'\n"
	 "reasoning_summary_text.delta 'output_index':0,'summary_index':0,'delta':'b'\n"
	 "reasoning_summary_text.delta 'output_index':0,'summary_index':1,'delta':'c'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'reasoning','summary':[{'text':'ab'},{'text':'cd'}],'"
	 "encrypted_content':'E'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "reasoning a\nreasoning b\nreasoning \n\n\nreasoning c\nreasoning d\nsignature E\nend "
	 "reasoning\nfinish stop completed\n"},
	{"reasoning_text.delta 'output_index':0,'content_index':0,'delta':'raw'\n"
	 "reasoning_summary_text.delta 'output_index':0,'summary_index':0,'delta':'sum'\n"
	 "output_item.done "
	 "'output_index':0,'item':{'type':'reasoning','content':[{'text':'raw'}],'summary':[{'text'"
	 ":'sum'}]}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "reasoning raw\nend reasoning\nfinish stop completed\n"},
	{"completed "
	 "'response':{'status':'completed','output':[{'type':'reasoning','content':[{'text':'raw'}]"
	 ",'summary':[{'text':'sum'}]}]}\n",
	 "reasoning raw\nend reasoning\nfinish stop completed\n"},
	{"completed "
	 "'response':{'status':'completed','output':[{'type':'reasoning','content':[],'summary':[{'"
	 "text':'sum'}]}]}\n",
	 "reasoning sum\nend reasoning\nfinish stop completed\n"},
	{"output_item.done "
	 "'output_index':0,'item':{'type':'reasoning','summary':[],'encrypted_content':'E'}\n"
	 "completed 'response':{'status':'completed','output':[]}\n",
	 "signature E withheld\nend reasoning\nfinish stop completed\n"},
	/* what is not known here */
	{"output_item.added 'output_index':0,'item':{'type':'web_search_call','id':'w'}\n"
	 "web_search_call.searching 'output_index':0\n"
	 "output_item.done 'output_index':0,'item':{'type':'web_search_call'}\n"
	 "output_text.delta 'output_index':1,'delta':'a'\n"
	 "{'type':'keepalive'}\n"
	 "completed "
	 "'response':{'status':'completed','output':[{'type':'web_search_call'},{'type':'message','"
	 "id':'m','content':[{'type':'output_text','text':'a'}]}]}\n",
	 "text a\nend text\nfinish stop completed\n"},
	/* ends */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "incomplete 'response':{'incomplete_details':{'reason':'content_filter'}}\n",
	 "text a\nfinish content_filter content_filter\n"},
	{"incomplete 'response':{}\n", "finish length incomplete\n"},
	{"completed 'response':{'status':'completed','output':[]}\n"
	 "[DONE]\n",
	 "finish stop completed\n"},
	{"completed 'response':{'status':'completed','output':[]}\n"
	 "output_text.delta 'output_index':0,'delta':'late'\n",
	 "finish stop completed\n"},
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "[DONE]\n",
	 "text a\nerror 502 upstream_incomplete|the upstream closed before the answer was "
	 "complete\n"},
	/* failures */
	{"output_text.delta 'output_index':0,'delta':'a'\n"
	 "failed 'response':{'error':{'code':'rate_limit_exceeded','message':'slow'}}\n",
	 "text a\nerror 429 rate_limit_exceeded|slow\n"},
	{"failed 'response':{'error':{'code':'invalid_prompt','message':'bad'}}\n",
	 "error 400 invalid_prompt|bad\n"},
	{"failed 'response':{'error':null}\n", "error 502 |the upstream's response failed\n"},
	{"{'type':'error','code':'server_error','message':'m','param':null,'sequence_number':3}\n",
	 "error 500 server_error|m\n"},
	{"{'type':'error','error':{'type':'invalid_request_error','code':'x','message':'m'}}\n",
	 "error 400 x|m\n"},
	{"{'error':{'message':'m','code':429}}\n", "error 429 429|m\n"},
	{"not JSON\n",
	 "error 502 upstream_bad_frame|the upstream sent a frame that is no JSON object\n"},
	{"[1]\n",
	 "error 502 upstream_bad_frame|the upstream sent a frame that is no JSON object\n"},
};

static void double_quotes(struct sl_buf *text, size_t from)
{
	for (size_t i = from; i < text->len; i++) {
		if (text->p[i] == '\'')
			text->p[i] = '"';
	}
}

static void put_event(struct sl_buf *body, const char *line)
{
	int len = (int)strcspn(line, "\n"), type = (int)strcspn(line, " \n");
	bool is_short = *line >= 'a' && *line <= 'z';
	size_t start = body->len;

	if (is_short && line[type] == ' ' && type + 1 < len)
		sl_buf_printf(body, "data: {'type':'response.%.*s',%.*s}\n\n", type, line,
			      len - type - 1, line + type + 1);
	else if (is_short)
		sl_buf_printf(body, "data: {'type':'response.%.*s'}\n\n", type, line);
	else
		sl_buf_printf(body, "data: %.*s\n\n", len, line);
	double_quotes(body, start);
}

START_TEST(what_comes_more_than_once_is_told_once)
{
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);
	struct sl_buf body = {.max = SIZE_MAX}, shown = {.max = SIZE_MAX};

	for (const char *line = streams[_i][0]; *line; line = strchr(line, '\n') + 1)
		put_event(&body, line);
	read_all(&o, sl_buf_slice(&body), &shown);
	ck_assert_str_eq(shown.p, streams[_i][1]);
	sl_buf_fini(&body);
	sl_buf_fini(&shown);
}
END_TEST

/* Each: a body that is no stream, and what is told. */
static const char *const wholes[][2] = {
	{"{'id':'resp_1','object':'response','model':'m','error':null,'status':'completed',"
	 "'output':[{'type':'message','content':[{'type':'output_text','text':'a\\nb'}]},"
	 "{'type':'function_call','call_id':'c','name':'f','arguments':'{}'}],"
	 "'usage':{'input_tokens':3}}",
	 "text a\nb\nend text\ncall c f\nargs {}\nend args\nfinish tool_calls completed\n"},
	{"{'status':'incomplete','incomplete_details':{'reason':'max_output_tokens'},"
	 "'output':[{'type':'message','content':[{'type':'output_text','text':'a'}]}]}",
	 "text a\nend text\nfinish length max_output_tokens\n"},
	{"{'output':[]}", "finish stop completed\n"},
	{"{'status':'failed','output':[],'error':{'code':'server_error','message':'m'}}",
	 "error 500 server_error|m\n"},
	{"{'error':{'code':'server_error','message':'m'}}", "error 500 server_error|m\n"},
};

START_TEST(a_whole_body_tells_the_same_whether_a_stream_was_asked_for_or_not)
{
	for (int whole = 0; whole < 2; whole++) {
		struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);
		struct sl_buf body = {.max = SIZE_MAX}, shown = {.max = SIZE_MAX};

		sl_buf_put_str(&body, wholes[_i][0]);
		double_quotes(&body, 0);
		o.whole = whole;
		o.content_type = SL_LIT("application/json");
		read_all(&o, sl_buf_slice(&body), &shown);
		ck_assert_str_eq(shown.p, wholes[_i][1]);
		sl_buf_fini(&body);
		sl_buf_fini(&shown);
	}
}
END_TEST

static struct collected *read_text(const char *body)
{
	struct collected *c = malloc(sizeof(*c));
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);

	ck_assert_ptr_nonnull(c);
	collected_init(c);
	collect(c, &o, sl_slice_str(body), NULL, NULL);
	return c;
}

static void forget(struct collected *c)
{
	collected_fini(c);
	free(c);
}

#define BODY                                                                             \
	"{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":7.0,\"model\":\"m\"," \
	"\"output\":[]}"

START_TEST(who_asked_for_a_stream_gets_a_whole_body_as_its_last_event)
{
	struct collected *c = read_text(BODY);

	ck_assert(c->ended);
	ck_assert_str_eq(buf_str(&c->frames),
			 "{\"type\":\"response.completed\",\"sequence_number\":"
			 "0,\"response\":" BODY "}\n");
	ck_assert_str_eq(buf_str(&c->id), "resp_1");
	ck_assert_str_eq(buf_str(&c->model), "m");
	ck_assert_int_eq(c->created, 7);
	forget(c);
}
END_TEST

START_TEST(a_response_that_is_not_ready_is_no_answer)
{
	struct collected *c = read_text("{\"status\":\"queued\",\"output\":[]}");

	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	forget(c);
}
END_TEST

/* Each: a stream, and the frames that go on. */
static const char *const framed[][2] = {
	{"event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n",
	 "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n"},
	{"event: response.new_thing\ndata: {}\n\n", "{\"type\":\"response.new_thing\"}\n"},
	{"event: response.\"\ndata: {}\n\n", "{}\n"},
	{"event: other\ndata: {}\n\n", "{}\n"},
	{"event: x\ndata: { \"type\" : \"response.queued\", \"a\":1 }\n\n",
	 "{ \"type\" : \"response.queued\", \"a\":1 }\n"},
	{"data: {\"type\":\"response.completed\",\"response\":{}}\n\ndata: {\"late\":1}\n\n",
	 "{\"type\":\"response.completed\",\"response\":{}}\n"},
	{": hello\n\ndata:\n\ndata: {\"a\":1}\n\n", "{\"a\":1}\n"},
};

START_TEST(frames_go_on_as_they_came_with_the_type_that_clients_look_for)
{
	struct collected *c = read_text(framed[_i][0]);

	ck_assert_str_eq(buf_str(&c->frames), framed[_i][1]);
	forget(c);
}
END_TEST

START_TEST(a_connection_that_breaks_after_the_last_event_is_no_failure)
{
	static const struct sl_event broken = {
		.kind = SL_EVENT_ERROR, .n0 = 502, .s = {{"broken", 6}, {0}, {"closed", 6}, {0}}};
	struct sl_reader_options o = stream_options(SL_DIALECT_RESPONSES);

	for (int i = 0; i < 2; i++) {
		struct collected *c = malloc(sizeof(*c));

		ck_assert_ptr_nonnull(c);
		collected_init(c);
		collect(c, &o,
			i ? SL_LIT("data: {\"type\":\"response.completed\",\"response\":{}}\n\n")
			  : SL_LIT("data: {\"type\":\"response.in_progress\"}\n\n"),
			NULL, &broken);
		ck_assert_int_eq(c->ended, i);
		forget(c);
	}
}
END_TEST

START_TEST(an_answer_of_more_items_than_are_read_fails)
{
	struct sl_buf body = {.max = SIZE_MAX};
	struct collected *c;

	for (int i = 0; i < 2000; i++)
		sl_buf_printf(&body,
			      "data: {\"type\":\"response.output_text.delta\",\"output_index\":%d,"
			      "\"delta\":\"a\"}\n\n",
			      i);
	c = read_text(buf_str(&body));
	ck_assert(c->failed);
	ck_assert_str_eq(buf_str(&c->code), SL_CODE_BAD_FRAME);
	forget(c);
	sl_buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("responses");
	TCase *tc = tcase_create("responses");

	tcase_add_loop_test(tc, what_comes_more_than_once_is_told_once, 0, COUNT(streams));
	tcase_add_loop_test(tc, a_whole_body_tells_the_same_whether_a_stream_was_asked_for_or_not,
			    0, COUNT(wholes));
	tcase_add_test(tc, who_asked_for_a_stream_gets_a_whole_body_as_its_last_event);
	tcase_add_test(tc, a_response_that_is_not_ready_is_no_answer);
	tcase_add_loop_test(tc, frames_go_on_as_they_came_with_the_type_that_clients_look_for, 0,
			    COUNT(framed));
	tcase_add_test(tc, a_connection_that_breaks_after_the_last_event_is_no_failure);
	tcase_add_test(tc, an_answer_of_more_items_than_are_read_fails);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
