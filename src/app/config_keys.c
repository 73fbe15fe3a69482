/* Callers' keys. What is kept of one is its SHA-256; its text is gone with the tree, and is never
 * shown. */
#include "app/config_read.h"

#include <ctype.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "app/config_value.h"

#define NAME_MAX_BYTES 64
#define KEY_MAX_BYTES  1024

static void complain(const struct config_slot *s, const char *why)
{
	config_complain(s->rd->report, s->node, NULL, "%s", why);
}

void config_read_key_name(const struct config_slot *s)
{
	size_t n = strlen(s->text);

	if (n == 0 || n > NAME_MAX_BYTES ||
	    strspn(s->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    n)
		complain(s, "a name has 1 to 64 letters, digits, \".\", \"-\" and \"_\"");
	else
		*(char **)s->into = config_read_copy(s->rd, s->text);
}

static int hex(char c)
{
	return c >= '0' && c <= '9'         ? c - '0'
	       : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10
					    : -1;
}

void config_read_sha256(const struct config_slot *s)
{
	unsigned char digest[sizeof(((struct access_key *)0)->sha256)];
	size_t n = strlen(s->text);
	bool good = n == 2 * sizeof(digest);

	for (size_t i = 0; good && i < sizeof(digest); i++) {
		int high = hex(s->text[2 * i]), low = hex(s->text[2 * i + 1]);

		good = high >= 0 && low >= 0;
		digest[i] = (unsigned char)(high * 16 + low);
	}
	if (good)
		memcpy(s->into, digest, sizeof(digest));
	else /* it may be the key itself */
		complain(s, "must be 64 hexadecimal digits, as sha256sum prints them");
}

/* What can come in a header, whose value has no space at its ends. */
void config_read_caller_key(const struct config_slot *s)
{
	size_t n = strlen(s->text);

	if (n == 0)
		complain(s, "is empty");
	else if (n > KEY_MAX_BYTES)
		complain(s, "is longer than 1024 bytes");
	else if (!config_is_header_text(s->text))
		complain(s, "has a line break or another control character in it");
	else if (strchr(" \t", s->text[0]) || strchr(" \t", s->text[n - 1]))
		complain(s, "begins or ends with a space");
	else if (gnutls_hash_fast(GNUTLS_DIG_SHA256, s->text, n, s->into) < 0)
		complain(s, "SHA-256 is not to be had");
}

static const struct config_node *child(const struct config_node *map, const char *name)
{
	const struct config_node *node = config_node_child(map, name);

	return node && node->kind != CONFIG_NULL ? node : NULL;
}

/* Zeroes are the digest of nothing that anybody knows. */
static bool is_read(const struct access_key *key)
{
	static const unsigned char zeroes[sizeof(key->sha256)];

	return memcmp(key->sha256, zeroes, sizeof(zeroes)) != 0;
}

void config_check_key(struct config_reading *rd, const struct config_node *node,
		      struct access_key *key)
{
	const struct config_node *name = child(node, "name"), *text = child(node, "key");
	const struct config_node *digest = child(node, "sha256");
	const struct access_key *first = rd->config->server.keys;

	key->leave_is_set = child(node, "when_client_leaves");
	key->heartbeat_is_set = child(node, "heartbeat");
	key->event_ids_is_set = child(node, "event_ids");
	if (!name)
		config_complain(rd->report, node, "name", "is missing");
	if (!text && !digest)
		config_complain(rd->report, node, "sha256",
				"is missing: it, or key, says which key this is");
	if (text && digest)
		config_complain(rd->report, text, NULL,
				"stands beside sha256: one of them is enough");
	for (const struct access_key *other = first; other < key; other++) {
		if (key->name && other->name && strcmp(key->name, other->name) == 0)
			config_complain(rd->report, name, NULL, "\"%s\" is another key's name",
					key->name);
		if (is_read(key) && memcmp(key->sha256, other->sha256, sizeof(key->sha256)) == 0)
			config_complain(rd->report, text ? text : digest, NULL,
					"is the same as that of keys[%zu]",
					(size_t)(other - first));
	}
}
