/* Counting connections, in all and by address; reading TLS files. */
#include "server/shared.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/error.h>
#include "base/random.h"
#include "server/server.h"

#define TLS_FILE_MAX (256 * 1024)

static const unsigned char v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct address_count {
	struct address_count *next;
	struct client_address address;
	uint32_t n;
};

struct server_shared *server_shared_new(const struct server_options *o)
{
	struct server_shared *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	random_bytes(s->ticket_secret, sizeof(s->ticket_secret));
	s->connections_max = o->connections;
	s->per_address_max = o->per_address;
	return s;
}

void server_shared_free(struct server_shared *s)
{
	if (!s)
		return;
	explicit_bzero(s->ticket_secret, sizeof(s->ticket_secret));
	if (s->tls_key)
		explicit_bzero(s->tls_key, strlen(s->tls_key));
	free(s->tls_cert);
	free(s->tls_key);
	free(s->tls_client_ca);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void client_address_set(struct client_address *a, const struct sockaddr_storage *from)
{
	*a = (struct client_address){0};
	if (from->ss_family == AF_INET) {
		memcpy(a->bytes, v4_prefix, sizeof(v4_prefix));
		memcpy(a->bytes + sizeof(v4_prefix), &((const struct sockaddr_in *)from)->sin_addr,
		       4);
	} else if (from->ss_family == AF_INET6) {
		memcpy(a->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	}
}

bool client_address_is_loopback(const struct client_address *a)
{
	static const unsigned char one[sizeof(a->bytes)] = {[15] = 1};
	if (memcmp(a->bytes, v4_prefix, sizeof(v4_prefix)) == 0)
		return a->bytes[sizeof(v4_prefix)] == 127;
	return memcmp(a->bytes, one, sizeof(one)) == 0;
}

static struct address_count **find(struct server_shared *s, const struct client_address *a)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < sizeof(a->bytes); i++)
		h = (h ^ a->bytes[i]) * 16777619u;
	struct address_count **at = &s->bucket[h % ADDRESS_BUCKETS];
	while (*at && memcmp(&(*at)->address, a, sizeof(*a)) != 0)
		at = &(*at)->next;
	return at;
}

bool shared_admit(struct server_shared *s, const struct client_address *a)
{
	bool admitted = false;
	pthread_mutex_lock(&s->lock);
	struct address_count **at = find(s, a);
	if (!*at && (*at = calloc(1, sizeof(**at))))
		(*at)->address = *a;
	if (*at && s->connections < s->connections_max && (*at)->n < s->per_address_max) {
		(*at)->n++;
		s->connections++;
		admitted = true;
	}
	if (*at && (*at)->n == 0) {
		free(*at);
		*at = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return admitted;
}

void shared_release(struct server_shared *s, const struct client_address *a)
{
	pthread_mutex_lock(&s->lock);
	struct address_count **at = find(s, a), *count = *at;
	if (count && --count->n == 0) {
		*at = count->next;
		free(count);
	}
	s->connections--;
	pthread_mutex_unlock(&s->lock);
}

static char *read_file(const char *name, FILE *errors)
{
	FILE *f = fopen(name, "re");
	char *text = f ? calloc(1, TLS_FILE_MAX + 1) : NULL;
	size_t n = text ? fread(text, 1, TLS_FILE_MAX + 1, f) : 0;
	if (!text || ferror(f) || n > TLS_FILE_MAX) {
		fprintf(errors, "tls: cannot read %s: %s\n", name,
			n > TLS_FILE_MAX ? "it is too large" : strerror(errno));
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

int server_load_tls(struct server_shared *s, const struct server_options *o, FILE *errors)
{
	if (!o->tls_cert)
		return 0;
	s->tls_cert = read_file(o->tls_cert, errors);
	s->tls_key = read_file(o->tls_key, errors);
	if (o->tls_client_ca)
		s->tls_client_ca = read_file(o->tls_client_ca, errors);
	if (!s->tls_cert || !s->tls_key || (o->tls_client_ca && !s->tls_client_ca))
		return -SL_E_IO;

	gnutls_certificate_credentials_t c;
	if (gnutls_certificate_allocate_credentials(&c) < 0)
		return -SL_E_NOMEM;
	gnutls_datum_t cert = {(unsigned char *)s->tls_cert, (unsigned)strlen(s->tls_cert)};
	gnutls_datum_t key = {(unsigned char *)s->tls_key, (unsigned)strlen(s->tls_key)};
	int r = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r < 0)
		fprintf(errors, "tls: %s and %s do not fit: %s\n", o->tls_cert, o->tls_key,
			gnutls_strerror(r));
	if (r >= 0 && s->tls_client_ca) {
		gnutls_datum_t ca = {(unsigned char *)s->tls_client_ca,
				     (unsigned)strlen(s->tls_client_ca)};
		r = gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM);
		if (r <= 0)
			fprintf(errors, "tls: %s holds no certificate\n", o->tls_client_ca);
		r = r <= 0 ? -1 : 0;
	}
	gnutls_certificate_free_credentials(c);
	return r < 0 ? -SL_E_SYNTAX : 0;
}
