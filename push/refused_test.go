package push_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/roost-ws/roost/internal/testio"
	"github.com/roost-ws/roost/push"
	"github.com/roost-ws/roost/push/protocol"
)

// Whoever runs the server can tell who has a wrong secret, and nobody who reads the
// log learns one.
func TestWhatIsRefusedForItsSignatureIsLoggedWithoutIt(t *testing.T) {
	var log testio.Log
	r := start(t, push.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	const proof = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef"

	p := r.connect()
	p.send(protocol.EventSubscribe, map[string]string{"channel": "private-a", "auth": app.Key + ":" + proof})
	p.expect(protocol.EventSubscriptionError)
	p.send(protocol.EventSignin, map[string]string{"auth": app.Key + ":" + proof, "user_data": `{"id":"7"}`})

	req := r.signed("POST", "/apps/"+app.ID+"/events", url.Values{}, `{}`)
	query := req.URL.Query()
	query.Set("auth_signature", proof)
	req.URL.RawQuery = query.Encode()
	if status, _ := r.do(req); status != http.StatusUnauthorized {
		t.Errorf("a wrong signature: %d", status)
	}
	query.Set("auth_key", app.Secret) // as when key and secret are swapped
	req.URL.RawQuery = query.Encode()
	if status, text := r.do(req); status != http.StatusUnauthorized || strings.Contains(text, app.Secret) {
		t.Errorf("the secret for a key: %d %s", status, text)
	}
	state := r.plain("GET", "/console/state", "")
	state.Header.Set("Authorization", "Bearer "+proof)
	if status, _ := r.do(state); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", status)
	}

	for _, what := range []string{"subscription refused", "sign-in refused", "API request refused", "console request refused"} {
		eventually(t, what, func() bool { return strings.Contains(log.String(), `"msg":"`+what+`"`) })
	}
	text := log.String()
	for _, secret := range []string{proof, app.Secret, token} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q:\n%s", secret, text)
		}
	}
	if !strings.Contains(text, `"remote":"127.0.0.1:`) {
		t.Errorf("the log does not say who it was:\n%s", text)
	}
}
