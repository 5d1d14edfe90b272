package push_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roost-ws/roost/push/protocol"
)

// request asks the HTTP API, signed, and returns status and body.
func (r *rig) request(method, path, query, body string) (int, string) {
	r.t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(r.signed(method, path, q, body))
}

func (r *rig) signed(method, path string, q url.Values, body string) *http.Request {
	r.t.Helper()
	q.Set("auth_key", app.Key)
	q.Set("auth_timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	q.Set("auth_version", "1.0")
	if body != "" {
		q.Set("body_md5", protocol.BodyMD5([]byte(body)))
	}
	q.Set("auth_signature", protocol.SignRequest(app.Secret, method, path, q))
	return r.plain(method, path+"?"+q.Encode(), body)
}

func (r *rig) plain(method, target, body string) *http.Request {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.addr+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return req
}

func (r *rig) do(req *http.Request) (int, string) {
	r.t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text))
}

// publish publishes over the HTTP API and wants it accepted.
func (r *rig) publish(body string) {
	r.t.Helper()
	if status, text := r.request("POST", "/apps/3/events", "", body); status != http.StatusOK || text != "{}" {
		r.t.Fatalf("publish: %d %s", status, text)
	}
}
