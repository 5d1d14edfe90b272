// load drives a WebSocket server over one epoll and prints one JSON line. It
// owes nothing to the servers it measures: no library, its own framing, and
// every byte of an answer is compared with the one expected.
//
//	gcc -O2 -o load load.c
//	load [-p PID] echo      HOST PORT CONNS INFLIGHT SIZE SECONDS
//	load [-p PID] broadcast HOST PORT CONNS SENDERS SIZE SECONDS
//	load [-p PID] connect   HOST PORT CONCURRENT SECONDS [fin]
//	load [-p PID] [-d] idle HOST PORT CONNS [SETTLE_SECONDS]   (holds until stdin closes)
//
// With -p the line also has what the server process spent meanwhile: CPU by
// its own clock (clock_getcpuclockid), and for idle its resident memory. With -d
// idle connections offer permessage-deflate as browsers do, and must get it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
enum { BUF = 512 << 10, EVENTS = 512, OPENING = 128, BUCKETS = 64 * 64 };
#define REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
static const char PLAIN[] = REQUEST "\r\n";
static const char OFFER[] = REQUEST "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; // RFC 6455 section 1.3

// A connection sends the frames of `out` round and round and must receive the
// frames of `in` round and round; both hold `slots` frames, twice over, so that
// any run of `slots` frames is contiguous.
struct conn {
	int fd;
	size_t wpos, wleft, rpos; // next byte to send, bytes due, next byte expected
	u64 head, got;            // messages sent and received
	u64 *stamp;               // send time of each slot
};

static struct conn *conns;
static struct sockaddr_in server;
static char *out, *in, rbuf[BUF];
static size_t out_frame, in_frame, slots;
static int ep, server_pid, deflate;
static u64 hist[BUCKETS], hist_n, hist_max, delivered;

static void fail(const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	fputs("load: ", stderr), vfprintf(stderr, fmt, ap), fputc('\n', stderr);
	exit(1);
}

static u64 clock_ns(clockid_t id) {
	struct timespec t;
	if (clock_gettime(id, &t)) fail("clock: %s (is the server, pid %d, gone?)", strerror(errno), server_pid);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static u64 now(void) { return clock_ns(CLOCK_MONOTONIC); }
static u64 own_cpu(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
static u64 server_cpu(void) {
	clockid_t id;
	if (!server_pid) return 0;
	if (clock_getcpuclockid(server_pid, &id)) fail("no process %d", server_pid);
	return clock_ns(id);
}

// record counts a time of `ns`, n times: 64 buckets a power of two, so within 1.6 %.
static void record(u64 ns, u64 n) {
	int e = 63 - __builtin_clzll(ns | 1), shift = e > 6 ? e - 6 : 0;
	hist[shift * 64 + (ns >> shift)] += n;
	hist_n += n;
	if (ns > hist_max) hist_max = ns;
}
static double percentile(double q) {
	u64 want = q * hist_n, seen = 0;
	for (int i = 0; i < BUCKETS; i++)
		if ((seen += hist[i]) > want) {
			int shift = i >= 128 ? i / 64 - 1 : 0;
			u64 mid = ((u64)(i - shift * 64) << shift) + (1ull << shift) / 2;
			return (mid < hist_max ? mid : hist_max) / 1e3;
		}
	return hist_max / 1e3;
}
static void print_times(const char *name) {
	printf(",\"%s_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
		percentile(.5), percentile(.9), percentile(.99), percentile(.999), hist_max / 1e3);
}
// print_cpu says what the server spent, and whether load itself was the limit.
static void print_cpu(u64 wall, u64 own, u64 spent, double units) {
	if (server_pid) printf(",\"server_cpu_us\":%.4f,\"server_cpu_pct\":%.1f", spent / 1e3 / units, 100. * spent / wall);
	printf(",\"load_cpu_pct\":%.1f}\n", 100. * own / wall);
	fflush(stdout);
}

// dial connects from one of 250 loopback addresses, since one has 28,000 ports.
static int dial(unsigned i) {
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) fail("socket %u: %s", i, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (ntohl(server.sin_addr.s_addr) >> 24 == 127) {
		struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + i % 250)};
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
		if (bind(fd, (void *)&from, sizeof from)) fail("bind: %s", strerror(errno));
	}
	for (int tries = 0; connect(fd, (void *)&server, sizeof server); tries++) {
		if (errno != ECONNREFUSED || i || tries > 500) fail("connect %u: %s", i, strerror(errno));
		usleep(10000); // only the first waits for a server that is starting
	}
	if (send(fd, deflate ? OFFER : PLAIN, deflate ? sizeof OFFER - 1 : sizeof PLAIN - 1, MSG_NOSIGNAL) < 0) fail("request %u: %s", i, strerror(errno));
	return fd;
}

// answered reads an upgrade's answer from `have` bytes on; 1 when it is whole and right.
static int answered(int fd, char *buf, size_t *have) {
	ssize_t n = recv(fd, buf + *have, 2047 - *have, 0);
	if (n <= 0) fail("upgrade: %s", n ? strerror(errno) : "closed by the server");
	buf[*have += n] = 0;
	char *end = strstr(buf, "\r\n\r\n");
	if (!end) { if (*have >= 2047) fail("upgrade: answer too long"); return 0; }
	if (strncmp(buf, "HTTP/1.1 101", 12) || !strstr(buf, ACCEPT) || !deflate != !strcasestr(buf, deflate ? "\r\nSec-WebSocket-Extensions: permessage-deflate" : "\r\nSec-WebSocket-Ext"))
		fail("upgrade: wrong answer:\n%s", buf);
	if (end[4]) fail("upgrade: %zd bytes follow the answer", buf + *have - end - 4);
	return 1;
}

static void open_range(unsigned from, unsigned n) {
	struct timeval limit = {20, 0};
	for (unsigned at = from; at < n; at += OPENING) {
		unsigned end = at + OPENING < n ? at + OPENING : n;
		for (unsigned i = at; i < end; i++) conns[i].fd = dial(i);
		for (unsigned i = at; i < end; i++) {
			char buf[2048];
			size_t have = 0;
			setsockopt(conns[i].fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
			while (!answered(conns[i].fd, buf, &have)) {}
			fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
			struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &conns[i]}};
			if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &e)) fail("epoll_ctl: %s", strerror(errno));
		}
	}
}

static void open_all(unsigned n) {
	conns = calloc(n, sizeof *conns);
	open_range(0, n);
}

static size_t header(char *p, size_t size, int mask) {
	p[0] = (char)0x82;
	if (size < 126) return p[1] = size | mask, 2;
	if (size < 65536) return p[1] = 126 | mask, p[2] = size >> 8, p[3] = size, 4;
	u64 be = htobe64(size);
	return p[1] = 127 | mask, memcpy(p + 2, &be, 8), 10;
}

// compose fills `out` and `in`. Distinct payloads, one a slot, make an answer out
// of order, or with another's bytes, mismatch; a broadcast's order is not known.
static void compose(size_t n, size_t size, int distinct) {
	static const uint8_t key[4] = {0x5a, 0xc3, 0x17, 0x8e};
	char h[14];
	slots = n, in_frame = header(h, size, 0) + size, out_frame = in_frame + 4;
	out = malloc(2 * n * out_frame), in = malloc(2 * n * in_frame);
	if (!out || !in) fail("no memory for %zu frames of %zu bytes", 2 * n, size);
	for (size_t s = 0; s < 2 * n; s++) {
		char *o = out + s * out_frame, *r = in + s * in_frame;
		size_t ho = header(o, size, 128), hr = header(r, size, 0);
		memcpy(o + ho, key, 4), ho += 4;
		for (size_t i = 0; i < size; i++) {
			r[hr + i] = distinct * (s % n) * 31 + i * 7 + (i >> 8);
			o[ho + i] = r[hr + i] ^ key[i & 3];
		}
	}
}

static void push(struct conn *c) {
	ssize_t w = send(c->fd, out + c->wpos, c->wleft, MSG_NOSIGNAL);
	if (w < 0) { if (errno != EAGAIN) fail("send: %s", strerror(errno)); return; }
	c->wleft -= w, c->wpos = (c->wpos + w) % (slots * out_frame);
}

// queue stamps n more messages and sends them in one write.
static void queue(struct conn *c, u64 n, u64 at) {
	int idle = !c->wleft;
	for (u64 i = 0; i < n; i++) c->stamp[(c->head + i) % slots] = at;
	c->head += n, c->wleft += n * out_frame;
	if (idle) push(c); // else its writable edge is still to come
}

// pull reads once, compares, and returns the messages completed; *more says that
// the read filled what was asked for.
static u64 pull(struct conn *c, size_t due, int *more) {
	size_t room = due < BUF ? due + 1 : BUF; // one byte more, to see an excess
	ssize_t n = recv(c->fd, rbuf, room, 0);
	*more = n == (ssize_t)room;
	if (n < 0 && errno == EAGAIN) return 0;
	if (n <= 0) fail("recv: %s", n ? strerror(errno) : "closed by the server");
	if ((size_t)n > due) fail("%zd bytes where %zu were due", n, due);
	if (memcmp(rbuf, in + c->rpos, n))
		fail("wrong bytes: offset %zu of a frame: got %02x %02x, want %02x %02x (fragmented? a ping?)",
			c->rpos % in_frame, rbuf[0] & 255, rbuf[1] & 255, in[c->rpos] & 255, in[c->rpos + 1] & 255);
	u64 whole = (c->rpos % in_frame + n) / in_frame;
	c->rpos = (c->rpos + n) % (slots * in_frame);
	c->got += whole, delivered += whole;
	return whole;
}

static int await(struct epoll_event *ev, int ms) {
	int n = epoll_wait(ep, ev, EVENTS, ms);
	if (n < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
	return n;
}

static void echo(unsigned n, size_t inflight, size_t size, double seconds) {
	struct epoll_event ev[EVENTS];
	u64 t0, t1, own = 0, cpu = 0, quiet;
	compose(inflight, size, 1);
	open_all(n);
	for (unsigned i = 0; i < n; i++) conns[i].stamp = malloc(inflight * 8), queue(&conns[i], inflight, now());
	int warm = 0;
	for (t0 = quiet = now(), t1 = t0 + 1000000000; (signed long)(t1 - now()) > 0 || !warm;) {
		if (!warm && now() >= t1) { // the second of warm-up is over
			warm = 1, delivered = hist_n = hist_max = 0, memset(hist, 0, sizeof hist);
			t0 = now(), t1 = t0 + seconds * 1e9, own = own_cpu(), cpu = server_cpu();
		}
		int k = await(ev, 100);
		if (k > 0) quiet = now();
		else if (now() - quiet > 10000000000) fail("no answer for 10 s");
		for (int i = 0; i < k; i++) {
			struct conn *c = ev[i].data.ptr;
			int more = 1;
			if (c->wleft) push(c);
			while (more && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
				u64 done = pull(c, (c->head - c->got) * in_frame - c->rpos % in_frame, &more), at = now();
				for (u64 j = 0; j < done; j++) record(at - c->stamp[(c->got - done + j) % slots], 1);
				if (done) queue(c, done, at);
			}
		}
	}
	u64 wall = now() - t0, spent = server_cpu() - cpu;
	printf("{\"mode\":\"echo\",\"conns\":%u,\"inflight\":%zu,\"size\":%zu,\"seconds\":%.3f,\"messages\":%lu,\"per_second\":%.0f",
		n, inflight, size, wall / 1e9, delivered, delivered / (wall / 1e9));
	print_times("rtt");
	print_cpu(wall, own_cpu() - own, spent, delivered);
}

// broadcast_round sends one message from each sender and waits for every delivery.
static u64 broadcast_round(unsigned n, unsigned senders) {
	struct epoll_event ev[EVENTS];
	u64 want = delivered + (u64)n * senders, t0 = now();
	for (unsigned i = 0; i < senders; i++) queue(&conns[i], 1, t0);
	while (delivered < want) {
		int k = await(ev, 10000);
		if (!k) fail("broadcast: %lu of %u deliveries still missing after 10 s", want - delivered, n * senders);
		for (int i = 0; i < k; i++) {
			struct conn *c = ev[i].data.ptr;
			int more = 1;
			if (c->wleft) push(c);
			while (more && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
				u64 done = pull(c, (senders - c->got % senders) * in_frame - c->rpos % in_frame, &more);
				if (done) record(now() - t0, done);
			}
		}
	}
	return now() - t0;
}

static void broadcast(unsigned n, unsigned senders, size_t size, double seconds) {
	u64 t0, rounds = 0, last = 0, worst = 0, own, cpu;
	if (senders > n) fail("%u senders of %u connections", senders, n);
	compose(senders, size, 0);
	open_all(n);
	for (unsigned i = 0; i < senders; i++) conns[i].stamp = calloc(senders, 8);
	usleep(300000); // a server may answer an upgrade a moment before it counts the connection in
	for (t0 = now(); now() - t0 < 1000000000;) broadcast_round(n, senders);
	delivered = hist_n = hist_max = 0, memset(hist, 0, sizeof hist);
	for (own = own_cpu(), cpu = server_cpu(), t0 = now(); now() - t0 < seconds * 1e9; rounds++) {
		u64 took = broadcast_round(n, senders);
		last += took, worst = took > worst ? took : worst;
	}
	u64 wall = now() - t0, spent = server_cpu() - cpu;
	printf("{\"mode\":\"broadcast\",\"conns\":%u,\"senders\":%u,\"size\":%zu,\"seconds\":%.3f,\"deliveries\":%lu,\"per_second\":%.0f"
		",\"rounds\":%lu,\"last_us\":{\"mean\":%.1f,\"max\":%.1f}", n, senders, size, wall / 1e9, delivered,
		delivered / (wall / 1e9), rounds, last / 1e3 / rounds, worst / 1e3);
	print_times("delivery");
	print_cpu(wall, own_cpu() - own, spent, delivered);
}

// churn opens, upgrades and closes, k at a time. It resets instead of sending a
// FIN, unless told otherwise: a FIN leaves a TIME_WAIT, and those use up the ports.
static void churn(unsigned k, double seconds, int fin) {
	struct epoll_event ev[EVENTS];
	struct { int fd; size_t have; u64 t0; char buf[2048]; } *slot = calloc(k, sizeof *slot);
	struct linger hard = {1, 0};
	u64 t0 = now(), t1 = t0 + 1000000000, own = 0, cpu = 0, done = 0;
	unsigned serial = 0;
	int warm = 0;
	for (unsigned i = 0; i < k; i++) slot[i].fd = -1;
	while (now() < t1 || !warm) {
		if (!warm && now() >= t1) {
			warm = 1, done = hist_n = hist_max = 0, memset(hist, 0, sizeof hist);
			t0 = now(), t1 = t0 + seconds * 1e9, own = own_cpu(), cpu = server_cpu();
		}
		for (unsigned i = 0; i < k; i++) {
			if (slot[i].fd >= 0) continue;
			slot[i].t0 = now(), slot[i].have = 0, slot[i].fd = dial(serial++);
			struct epoll_event e = {EPOLLIN, {.u32 = i}};
			if (epoll_ctl(ep, EPOLL_CTL_ADD, slot[i].fd, &e)) fail("epoll_ctl: %s", strerror(errno));
		}
		int n = await(ev, 10000);
		if (!n) fail("connect: no answer for 10 s");
		for (int i = 0; i < n; i++) {
			unsigned s = ev[i].data.u32;
			if (!answered(slot[s].fd, slot[s].buf, &slot[s].have)) continue;
			record(now() - slot[s].t0, 1);
			if (!fin) setsockopt(slot[s].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
			close(slot[s].fd), slot[s].fd = -1, done++;
		}
	}
	u64 wall = now() - t0, spent = server_cpu() - cpu;
	printf("{\"mode\":\"connect\",\"concurrent\":%u,\"seconds\":%.3f,\"connects\":%lu,\"per_second\":%.0f", k, wall / 1e9, done,
		done / (wall / 1e9));
	print_times("upgrade");
	print_cpu(wall, own_cpu() - own, spent, done);
}

// resident reads the server's resident memory: all of it, or what is its own.
static u64 resident(const char *field) {
	char path[64], line[256];
	u64 kb = 0;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", server_pid);
	FILE *f = server_pid ? fopen(path, "r") : NULL;
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, field, strlen(field))) kb = strtoull(line + strlen(field), NULL, 10);
	if (f) fclose(f);
	return kb * 1024;
}

// idle measures between a tenth of the connections and all of them: what the
// server needs once, and the pages of its program, are there by then.
static void idle(unsigned n, double settle) {
	unsigned some = n / 10;
	conns = calloc(n, sizeof *conns);
	open_range(0, some), usleep(settle * 1e6);
	u64 rss = resident("Rss:"), anon = resident("Anonymous:"), cpu = server_cpu(), t0 = now();
	open_range(some, n);
	double took = (now() - t0) / 1e9, rest = n - some;
	usleep(settle * 1e6);
	printf("{\"mode\":\"idle\",\"conns\":%u,\"per_second\":%.0f", n, rest / took);
	if (server_pid) printf(",\"rss_before\":%lu,\"rss_after\":%lu,\"rss_per_conn\":%.0f,\"anon_per_conn\":%.0f,\"server_cpu_us\":%.2f", rss,
		resident("Rss:"), (resident("Rss:") - (double)rss) / rest, (resident("Anonymous:") - (double)anon) / rest, (server_cpu() - cpu) / 1e3 / rest);
	printf("}\n"), fflush(stdout);
	struct pollfd stop = {0, POLLIN, 0};
	for (char b[256]; poll(&stop, 1, -1) < 0 || read(0, b, sizeof b) > 0;) {}
	unsigned lost = 0;
	for (unsigned i = 0; i < n; i++)
		for (ssize_t r; (r = recv(conns[i].fd, rbuf, BUF, 0)) >= 0 || errno != EAGAIN;)
			if (r <= 0) { lost++; break; }
	if (lost) fail("idle: the server closed %u of %u", lost, n);
}

int main(int argc, char **argv) {
	if (argc > 2 && !strcmp(argv[1], "-p")) server_pid = atoi(argv[2]), argc -= 2, argv += 2;
	if (argc > 1 && !strcmp(argv[1], "-d")) deflate = 1, argc--, argv++;
	const char *mode = argc > 4 ? argv[1] : "";
	struct rlimit rl;
	getrlimit(RLIMIT_NOFILE, &rl), rl.rlim_cur = rl.rlim_max, setrlimit(RLIMIT_NOFILE, &rl);
	if (argc > 4) {
		server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
		if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) fail("HOST %s: want an IPv4 address", argv[2]);
	}
	if ((ep = epoll_create1(0)) < 0) fail("epoll: %s", strerror(errno));
	unsigned n = argc > 4 ? atoi(argv[4]) : 0;
	if (!n || (deflate && strcmp(mode, "idle"))) mode = "";
	if (!strcmp(mode, "echo") && argc == 8) echo(n, atoi(argv[5]), atol(argv[6]), atof(argv[7]));
	else if (!strcmp(mode, "broadcast") && argc == 8) broadcast(n, atoi(argv[5]), atol(argv[6]), atof(argv[7]));
	else if (!strcmp(mode, "connect") && argc >= 6) churn(n, atof(argv[5]), argc > 6 && !strcmp(argv[6], "fin"));
	else if (!strcmp(mode, "idle")) idle(n, argc > 5 ? atof(argv[5]) : 2);
	else return fputs("usage: load [-p PID] echo HOST PORT CONNS INFLIGHT SIZE SECONDS\n"
		"       load [-p PID] broadcast HOST PORT CONNS SENDERS SIZE SECONDS\n"
		"       load [-p PID] connect HOST PORT CONCURRENT SECONDS [fin]\n"
		"       load [-p PID] [-d] idle HOST PORT CONNS [SETTLE_SECONDS]   (until stdin closes)\n", stderr), 2;
}
