// limit is the floor that WebSocket servers are compared to: an echo on one
// edge-triggered epoll, one read and one write a turn, many frames a read, no
// library. It forwards frame by frame, checks masks and lengths, answers pings
// and closes, and leaves out what a product needs: limits, timers, UTF-8, TLS.
//
//	gcc -O2 -o limit limit.c && ./limit -addr 127.0.0.1:9001 [-broadcast]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUF = 512 << 10, EVENTS = 512, MAX_PENDING = 16 << 20 };

struct conn {
	int fd;
	uint8_t open, dead;       // upgraded; to be freed after the batch
	uint32_t in_len, out_len; // bytes of an unfinished frame; bytes the kernel refused
	char *in, *out;           // NULL while there are none
	uint32_t seat;            // index in conns
	struct conn *next;        // in the list of the dead
};

static struct conn **conns, *dead;
static uint32_t n_conns, cap_conns;
static int ep, broadcast;
static char rbuf[BUF], wbuf[BUF + 64];

static void die(const char *what) { perror(what); exit(1); }

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

// sha1 hashes a message of at most 119 bytes (RFC 3174): a key and the GUID are 60.
static void sha1(const char *msg, size_t n, uint8_t out[20]) {
	uint8_t m[128] = {0};
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	size_t total = n + 9 <= 64 ? 64 : 128;
	memcpy(m, msg, n);
	m[n] = 0x80;
	m[total - 2] = n * 8 >> 8, m[total - 1] = n * 8;
	for (uint8_t *p = m; p < m + total; p += 64) {
		uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
		for (int i = 0; i < 16; i++)
			w[i] = p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
		for (int i = 16; i < 80; i++)
			w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
			else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
			else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
			else f = b ^ c ^ d, k = 0xca62c1d6;
			uint32_t t = rol(a, 5) + f + e + k + w[i];
			e = d, d = c, c = rol(b, 30), b = a, a = t;
		}
		h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
	}
	for (int i = 0; i < 20; i++) out[i] = h[i / 4] >> (24 - i % 4 * 8);
}

// accept_key is the answer to a Sec-WebSocket-Key (RFC 6455 section 4.2.2).
static void accept_key(const char *key, char out[29]) {
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char cat[60];
	uint8_t d[21] = {0};
	memcpy(cat, key, 24);
	memcpy(cat + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	sha1(cat, 60, d);
	for (int i = 0, o = 0; i < 21; i += 3, o += 4) {
		uint32_t v = d[i] << 16 | d[i + 1] << 8 | d[i + 2];
		for (int j = 0; j < 4; j++) out[o + j] = abc[v >> (18 - 6 * j) & 63];
	}
	out[27] = '=', out[28] = 0;
}

static void kill_conn(struct conn *c) {
	if (c->dead) return;
	c->dead = 1;
	c->next = dead, dead = c;
	conns[c->seat] = conns[--n_conns];
	conns[c->seat]->seat = c->seat;
	close(c->fd);
	free(c->in), free(c->out);
	c->in = c->out = NULL;
}

// keep appends what the kernel refused; its next writable edge flushes it.
static void keep(struct conn *c, const char *p, size_t n) {
	if (c->out_len + n > MAX_PENDING) { kill_conn(c); return; }
	if (!(c->out = realloc(c->out, c->out_len + n))) die("realloc");
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
}

static void send_bytes(struct conn *c, const char *p, size_t n) {
	if (c->dead || !n) return;
	ssize_t w = 0;
	if (!c->out_len && (w = send(c->fd, p, n, MSG_NOSIGNAL)) < 0) {
		if (errno != EAGAIN) { kill_conn(c); return; }
		w = 0;
	}
	if ((size_t)w < n) keep(c, p + w, n - w);
}

static void flush(struct conn *c) {
	ssize_t w = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
	if (w < 0) { if (errno != EAGAIN) kill_conn(c); return; }
	memmove(c->out, c->out + w, c->out_len -= w);
	if (!c->out_len) free(c->out), c->out = NULL;
}

// unmask copies n payload bytes to dst, 32 at a time.
static void unmask(char *restrict dst, const char *restrict src, size_t n, const char *key) {
	typedef uint32_t vec __attribute__((vector_size(32)));
	uint32_t k;
	size_t i = 0;
	memcpy(&k, key, 4);
	for (; i + 32 <= n; i += 32) {
		vec v;
		memcpy(&v, src + i, 32);
		v ^= k;
		memcpy(dst + i, &v, 32);
	}
	for (; i < n; i++) dst[i] = src[i] ^ key[i & 3];
}

// upgrade answers a complete request and returns its length, 0 while it is incomplete.
static size_t upgrade(struct conn *c, char *p, size_t n) {
	char *end = memmem(p, n, "\r\n\r\n", 4), key[29], answer[256];
	if (!end) { if (n > 8192) kill_conn(c); return 0; }
	*end = 0;
	char *k = strcasestr(p, "\r\nSec-WebSocket-Key:");
	if (k) k += 20, k += strspn(k, " \t");
	if (!k || strcspn(k, "\r") != 24) { kill_conn(c); return 0; }
	accept_key(k, key);
	int len = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", key);
	c->open = 1;
	send_bytes(c, answer, len);
	return end + 4 - p;
}

// frames answers every whole frame of p, in one write, and returns the bytes used.
static size_t frames(struct conn *c, char *p, size_t n) {
	size_t at = 0, w = 0;
	int closing = 0;
	while (!closing && n - at >= 6) {
		uint8_t *h = (uint8_t *)p + at, op = h[0] & 15, out = h[0];
		size_t len = h[1] & 127, head = 6, start = w;
		if (!(h[1] & 128) || h[0] & 0x70) { kill_conn(c); return n; }
		if (len == 126) {
			head = 8;
			len = h[2] << 8 | h[3];
		} else if (len == 127) {
			uint64_t big;
			if (n - at < 14) break;
			memcpy(&big, h + 2, 8);
			head = 14, len = be64toh(big);
		}
		if (len > BUF - 14) { kill_conn(c); return n; }
		if (n - at < head + len) break;
		if (op == 9) out = 0x8a;
		closing = op == 8;
		if (op != 10) {
			memcpy(wbuf + w, h, head - 4);
			wbuf[w] = out, wbuf[w + 1] = h[1] & 127;
			unmask(wbuf + w + head - 4, (char *)h + head, len, (char *)h + head - 4);
			w += head - 4 + len;
		}
		at += head + len;
		if (broadcast && op < 8) {
			for (uint32_t i = n_conns; i-- > 0;)
				if (conns[i]->open) send_bytes(conns[i], wbuf + start, w - start);
			w = start;
			if (c->dead) return n;
		}
	}
	send_bytes(c, wbuf, w);
	if (closing) kill_conn(c);
	return at;
}

static void turn(struct conn *c, int hup) {
	for (;;) {
		size_t have = c->in_len;
		if (have) memcpy(rbuf, c->in, have);
		ssize_t r = read(c->fd, rbuf + have, BUF - have);
		if (r <= 0) { if (r == 0 || errno != EAGAIN) kill_conn(c); return; }
		size_t n = have + r, used = 0;
		int drained = n < BUF && !hup;
		if (!c->open) used = upgrade(c, rbuf, n);
		if (c->open && !c->dead) used += frames(c, rbuf + used, n - used);
		if (c->dead) return;
		c->in_len = n - used;
		if (!c->in_len) free(c->in), c->in = NULL;
		else if (!(c->in = realloc(c->in, c->in_len))) die("realloc");
		memcpy(c->in, rbuf + used, c->in_len);
		if (drained) return;
	}
}

static void accept_all(int lfd) {
	int fd;
	while ((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = calloc(1, sizeof *c);
		if (n_conns == cap_conns)
			conns = realloc(conns, (cap_conns = cap_conns ? cap_conns * 2 : 1024) * sizeof *conns);
		if (!c || !conns) die("alloc");
		c->fd = fd, c->seat = n_conns;
		conns[n_conns++] = c;
		struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = c}};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
	}
	if (errno != EAGAIN && errno != ECONNABORTED) perror("accept4");
}

static int listen_on(char *addr) {
	char *colon = strrchr(addr, ':');
	if (!colon) { fprintf(stderr, "limit: -addr %s: want HOST:PORT\n", addr); exit(2); }
	*colon = 0;
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1) die(addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // accepted sockets inherit it
	if (bind(fd, (void *)&sa, sizeof sa) || listen(fd, 4096)) die("listen");
	return fd;
}

int main(int argc, char **argv) {
	static char fallback[] = "127.0.0.1:9001";
	char *addr = fallback;
	for (int i = 1; i < argc; i++) {
		if (strstr(argv[i], "-broadcast")) broadcast = 1;
		else if (strstr(argv[i], "-addr") && i + 1 < argc) addr = argv[++i];
		else { fprintf(stderr, "usage: limit [-addr HOST:PORT] [-broadcast]\n"); return 2; }
	}
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	int lfd = listen_on(addr);
	struct epoll_event e = {EPOLLIN, {.ptr = NULL}}, ev[EVENTS];
	if ((ep = epoll_create1(0)) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e)) die("epoll");
	for (;;) {
		int n = epoll_wait(ep, ev, EVENTS, -1);
		if (n < 0 && errno != EINTR) die("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;
			if (!c) { accept_all(lfd); continue; }
			if (!c->dead && c->out_len && ev[i].events & EPOLLOUT) flush(c);
			if (!c->dead && ev[i].events & ~EPOLLOUT)
				turn(c, !!(ev[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)));
		}
		// A broadcast may end a connection that has a later event in this batch.
		for (struct conn *c; (c = dead); free(c)) dead = c->next;
	}
}
