/* What the tokens of stories say. */
#include "story.h"

#include <string.h>
#include "token.h"

size_t story_token(uint64_t story, uint32_t seq, char *out)
{
	static const char *const ends[] = {
		" ",
		"lorem ",
		"\n",
		"ipsum, ",
		"\n\n",
		"\"so\" ",
		" - ",
		"ż ",
		"\xf0\x9f\x9a\x80",
		"data: x\n",
		"a\nid: 7\nb ",
		"\\",
		"dolor sit amet ",
		"",
		": ",
		"漢字",
	};
	uint64_t mix = (story * 0x9e3779b97f4a7c15u + seq) * 0xbf58476d1ce4e5b9u;
	const char *end = ends[mix >> 60];
	size_t n = token_write(out, &(struct token){story, seq, 0}), end_len = strlen(end);
	memcpy(out + n, end, end_len);
	return n + end_len;
}
