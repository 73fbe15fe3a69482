/* Statuses and words of errors. Words are compared without case and underscores, so that
 * not_found_error and NotFoundError are one; a * at the end stands for any rest. */
#include "codec/error_status.h"

#include <stdbool.h>
#include <stddef.h>

int error_status_of_http(int http_status)
{
	static const short as_they_came[] = {400, 401, 402, 403, 404, 408, 409, 413,
					     415, 422, 429, 500, 502, 503, 504};

	if (http_status == 529) /* Anthropic's "overloaded"; no SDK of another API knows it */
		return 503;
	for (size_t i = 0; i < sizeof(as_they_came) / sizeof(*as_they_came); i++) {
		if (as_they_came[i] == http_status)
			return http_status;
	}
	return 502;
}

static const struct {
	const char *word;
	int status;
} words[] = {
	{"invalidrequest*", 400},
	{"badrequest*", 400},
	{"invalidargument", 400},
	{"failedprecondition", 400},
	{"contextlengthexceeded", 400},
	{"contentfilter", 400},
	{"exceedcontextsize*", 400},
	{"invalidprompt", 400},
	{"invalidimage*", 400},
	{"invalidbase64image", 400},
	{"imagetoo*", 400},
	{"imageparseerror", 400},
	{"imagecontentpolicyviolation", 400},
	{"authentication*", 401},
	{"unauthenticated", 401},
	{"unauthorized*", 401},
	{"invalidapikey", 401},
	{"billing*", 402},
	{"permission*", 403},
	{"forbidden*", 403},
	{"notfound*", 404},
	{"modelnotfound", 404},
	{"conflict*", 409},
	{"requesttoolarge", 413},
	{"ratelimit*", 429},
	{"insufficientquota", 429},
	{"tokens", 429},
	{"requests", 429},
	{"resourceexhausted", 429},
	{"throttling*", 429},
	{"toomanyrequests*", 429},
	{"servererror", 500},
	{"apierror", 500},
	{"internal*", 500},
	{"overloaded*", 503},
	{"serviceunavailable*", 503},
	{"unavailable*", 503},
	{"timeout*", 504},
	{"deadlineexceeded", 504},
	/* AWS's exceptions */
	{"validation*", 400},
	{"accessdenied*", 403},
	{"resourcenotfound*", 404},
	{"modelnotready*", 503},
	{"modeltimeout*", 504},
};

static bool matches(struct sl_slice word, const char *pattern)
{
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (c == '_' || c == '-' || c == ' ')
			continue;
		if (*pattern == '*')
			return true;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != *pattern++)
			return false;
	}
	return *pattern == 0 || *pattern == '*';
}

int error_status_of_word(struct sl_slice word)
{
	for (size_t i = 0; word.n > 0 && i < sizeof(words) / sizeof(*words); i++) {
		if (matches(word, words[i].word))
			return words[i].status;
	}
	return 0;
}

int error_status_for(bool anthropic, int status)
{
	if (status != 503 && status != 529)
		return status;
	return anthropic ? 529 : 503;
}

void error_translate(struct sl_event *error)
{
	static const struct {
		int status;
		const char *type, *code;
	} usual[] = {
		{400, "invalid_request_error", NULL},
		{401, "invalid_request_error", "invalid_api_key"},
		{402, "insufficient_quota", "insufficient_quota"},
		{403, "permission_error", NULL},
		{404, "invalid_request_error", "model_not_found"},
		{408, "timeout", NULL},
		{409, "invalid_request_error", NULL},
		{413, "invalid_request_error", "request_too_large"},
		{415, "invalid_request_error", NULL},
		{422, "invalid_request_error", NULL},
		{429, "rate_limit_error", "rate_limit_exceeded"},
		{503, "service_unavailable", NULL},
		{504, "timeout", NULL},
		{0, "server_error", NULL},
	};
	struct sl_slice own = error->s[1].n ? error->s[1] : error->s[2];
	size_t i = 0;

	if (sl_slice_starts(error->s[2], "upstream_"))
		return;
	while (usual[i].status && usual[i].status != error->n0)
		i++;
	error->s[1] = sl_slice_str(usual[i].type);
	error->s[2] = usual[i].code ? sl_slice_str(usual[i].code) : own;
	error->s[3] = (struct sl_slice){0};
}
