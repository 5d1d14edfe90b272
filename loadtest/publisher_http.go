package loadtest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// httpConn is one kept-alive connection to an HTTP API. Requests are written in
// one piece and answers read by net/http, without the goroutines of its client,
// whose switches would stand in the latency of each event.
type httpConn struct {
	to    *api
	conn  net.Conn
	r     *bufio.Reader
	used  time.Time // last
	bytes []byte
}

// maxHTTPIdle is how long a connection may rest: servers end those that do for
// 5 s and more, and a request that crosses that has an unknown outcome.
const maxHTTPIdle = 2 * time.Second

// post returns nil when the server has taken the request; a refusal is a *failure.
func (h *httpConn) post(ctx context.Context, to *api, p *Pusher, method string, body []byte, timeout time.Duration) error {
	now := time.Now()
	if h.conn != nil && (h.to != to || now.Sub(h.used) > maxHTTPIdle) {
		h.close()
	}
	if h.conn == nil {
		if err := h.dial(ctx, to, timeout); err != nil {
			return err
		}
	}
	conn := h.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := h.conn.SetDeadline(now.Add(timeout)); err != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	h.used = now
	h.bytes = append(h.bytes[:0], "POST "...)
	h.bytes = append(h.bytes, p.apiPath(to.path, method, body, now)...)
	h.bytes = append(append(h.bytes, " HTTP/1.1\r\nHost: "...), to.host...)
	h.bytes = append(h.bytes, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	h.bytes = append(strconv.AppendInt(h.bytes, int64(len(body)), 10), "\r\n\r\n"...)
	h.bytes = append(h.bytes, body...)
	if _, err := h.conn.Write(h.bytes); err != nil {
		h.close()
		return &failure{cause: causePublish, err: err}
	}
	return h.answer()
}

// maxAnswer is more than any server says to a publisher.
const maxAnswer = 64 << 10

func (h *httpConn) answer() error {
	res, err := http.ReadResponse(h.r, nil)
	if err != nil {
		h.close()
		return &failure{cause: causePublish, err: err}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil || res.Close || len(body) == maxAnswer {
		h.close()
	}
	if res.StatusCode != http.StatusOK {
		return publishStatus(res.StatusCode, body)
	}
	return nil
}

// dial fails with what connect(2) or TLS says.
func (h *httpConn) dial(ctx context.Context, to *api, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return err
	}
	if to.tls != nil {
		secure := tls.Client(conn, to.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return &failure{cause: causeTLS, err: fmt.Errorf("publisher: %w", err)}
		}
		conn = secure
	}
	h.to, h.conn, h.r = to, conn, bufio.NewReader(conn)
	return nil
}

func (h *httpConn) close() {
	if h.conn != nil {
		_ = h.conn.Close()
		h.conn = nil
	}
}
