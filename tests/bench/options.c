/* Words of the command line, their defaults and what follows from them. */
#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
	"usage: load --port PORT [options]\n"
	"  --host ADDRESS        127.0.0.1\n"
	"  --path PATH           /v1/chat/completions\n"
	"  --anthropic           asks as clients of Anthropic's API do, at /v1/messages\n"
	"  --key KEY             sent as Authorization: Bearer\n"
	"  --header LINE         one more header line, as 'Name: value'\n"
	"  --streams N           streams with tokens: 1\n"
	"  --rate R              tokens a second of each, 0 = flat out: 50\n"
	"  --tokens N            of each; 0 = enough for the whole run (needs a rate): 0\n"
	"  --size BYTES          of filler in a token: 4\n"
	"  --silent M            and M streams that stay silent: 0\n"
	"  --viewers V           and V more clients that watch the first stream: 0\n"
	"  --format F            in which they watch it, events or openai: events\n"
	"  --channel             V viewers of the channel at --path instead of streams; `publish` "
	"writes it\n"
	"  --repeat              ask again on the same connection when a stream has ended\n"
	"  --ramp N              streams opened a second: 1000\n"
	"  --settle S --window S seconds before and in the measurement: 1, 10; window 0: only "
	"check\n"
	"  --open S --grace S    seconds to wait until all are open, and have ended: 30, 15\n"
	"  --watch LABEL=PID     report CPU and memory of this process (repeatable)\n"
	"  --core N              report how busy this core is (repeatable)\n"
	"Prints one JSON object. Exit status: 0 good, 1 a token was lost, doubled, reordered or of "
	"another stream,\n"
	"2 wrong command line, 3 a stream failed or did not end.\n";

static const struct option words[] = {{"host", 1, NULL, 'h'},
				      {"port", 1, NULL, 'p'},
				      {"path", 1, NULL, 'P'},
				      {"key", 1, NULL, 'k'},
				      {"header", 1, NULL, 'H'},
				      {"streams", 1, NULL, 'n'},
				      {"rate", 1, NULL, 'r'},
				      {"tokens", 1, NULL, 't'},
				      {"size", 1, NULL, 's'},
				      {"silent", 1, NULL, 'm'},
				      {"viewers", 1, NULL, 'v'},
				      {"format", 1, NULL, 'f'},
				      {"channel", 0, NULL, 'C'},
				      {"repeat", 0, NULL, 'R'},
				      {"ramp", 1, NULL, 'a'},
				      {"settle", 1, NULL, 'e'},
				      {"window", 1, NULL, 'w'},
				      {"open", 1, NULL, 'o'},
				      {"grace", 1, NULL, 'g'},
				      {"watch", 1, NULL, 'W'},
				      {"core", 1, NULL, 'c'},
				      {"anthropic", 0, NULL, 'A'},
				      {0}};

static bool add_watched(struct options *o, char *text)
{
	char *pid = strchr(text, '=');
	if (!pid || o->watched_n == WATCHED_MAX - 1)
		return false;
	*pid++ = '\0';
	o->watched[o->watched_n].label = text;
	o->watched[o->watched_n++].pid = (pid_t)atol(pid);
	return true;
}

static bool add_core(struct options *o, const char *text)
{
	if (o->cores_n == CORES_MAX)
		return false;
	o->core[o->cores_n++] = atoi(text);
	return true;
}

/* One word and its value. False: unknown, or too many of them. */
static bool take(struct options *o, int word, char *value)
{
	switch (word) {
	case 'h':
		o->host = value;
		return true;
	case 'p':
		o->to.sin_port = htons((uint16_t)atoi(value));
		return true;
	case 'P':
		o->path = value;
		return true;
	case 'k':
		o->key = value;
		return true;
	case 'H':
		o->header = value;
		return true;
	case 'n':
		o->streams = (unsigned)atoi(value);
		return true;
	case 'r':
		o->rate = (uint32_t)atoi(value);
		return true;
	case 't':
		o->tokens = (uint32_t)atoi(value);
		return true;
	case 's':
		o->size = (uint32_t)atoi(value);
		return true;
	case 'm':
		o->silent = (unsigned)atoi(value);
		return true;
	case 'v':
		o->viewers = (unsigned)atoi(value);
		return true;
	case 'f':
		o->format = value;
		return true;
	case 'C':
		o->channel = true;
		return true;
	case 'A':
		o->anthropic = true;
		o->path = "/v1/messages";
		return true;
	case 'R':
		o->repeat = true;
		return true;
	case 'a':
		o->ramp = atof(value);
		return true;
	case 'e':
		o->settle_s = atof(value);
		return true;
	case 'w':
		o->window_s = atof(value);
		return true;
	case 'o':
		o->open_s = atof(value);
		return true;
	case 'g':
		o->grace_s = atof(value);
		return true;
	case 'W':
		return add_watched(o, value);
	case 'c':
		return add_core(o, value);
	default:
		return false;
	}
}

bool options_read(struct options *o, int argc, char **argv)
{
	*o = (struct options){.to = {.sin_family = AF_INET},
			      .host = "127.0.0.1",
			      .path = "/v1/chat/completions",
			      .format = "events",
			      .streams = 1,
			      .rate = 50,
			      .size = 4,
			      .ramp = 1000,
			      .settle_s = 1,
			      .window_s = 10,
			      .open_s = 30,
			      .grace_s = 15};
	int word;
	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (!take(o, word, optarg))
			return false;
	}
	if (o->channel)
		o->streams = o->silent = 0;
	if (!o->tokens && o->rate) {
		/* So many that the first stream is still open when the window ends. */
		double life_s = (o->streams + o->viewers) / o->ramp + o->settle_s + o->window_s + 3;
		o->tokens = (uint32_t)(life_s * o->rate);
	}
	bool format_known = strcmp(o->format, "events") == 0 || strcmp(o->format, "openai") == 0;
	bool has_what_to_watch = !o->viewers || o->channel || o->streams;
	return o->to.sin_port && optind == argc &&
	       inet_pton(AF_INET, o->host, &o->to.sin_addr) == 1 && format_known &&
	       has_what_to_watch && o->streams + o->silent + o->viewers > 0 && o->tokens &&
	       o->ramp > 0;
}
