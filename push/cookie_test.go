package push_test

import (
	"net/http"
	"testing"

	"github.com/roost-ws/roost/push"
)

// Nothing rests on cookies, which a browser sends along from any page.
func TestNoAnswerSetsACookieAndNoneIsRead(t *testing.T) {
	r := start(t, push.Options{})
	for _, path := range []string{"/", "/console/state", "/healthz", "/readyz", "/metrics", "/roost.js", "/app/" + app.Key, "/apps/3/channels", "/nowhere"} {
		req := r.plain(http.MethodGet, path, "")
		req.AddCookie(&http.Cookie{Name: "token", Value: token})
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if c := res.Cookies(); len(c) > 0 {
			t.Errorf("%s sets %v", path, c)
		}
		if path == "/console/state" && res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with the token in a cookie: %s", path, res.Status)
		}
	}
}
