package mount

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/roost-ws/roost/engine"
)

// mounts makes a router of each kind with sockets under /ws/{room} and a page under /.
var mounts = map[string]func(sockets *engine.Server, page http.HandlerFunc) http.Handler{
	"net/http": func(sockets *engine.Server, page http.HandlerFunc) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("GET /ws/{room}", sockets)
		mux.HandleFunc("/", page)
		return mux
	},
	"chi": func(sockets *engine.Server, page http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.RequestID, middleware.Recoverer, middleware.Compress(5))
		r.Get("/ws/{room}", sockets.ServeHTTP)
		r.Get("/", page)
		return r
	},
	"gin": func(sockets *engine.Server, page http.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.Use(gin.Recovery())
		r.GET("/ws/:room", gin.WrapH(sockets))
		r.GET("/", gin.WrapF(page))
		return r
	},
}

func TestMounts(t *testing.T) {
	for name, mount := range mounts {
		t.Run(name, func(t *testing.T) {
			sockets, err := engine.NewServer(engine.ServerOptions{NoServer: true, Handler: engine.Handler{
				Open:    func(c *engine.Conn, r *engine.Request) { c.SetData(r.Path()) },
				Message: func(c *engine.Conn, m engine.Message) { _ = c.SendText(c.Data().(string) + " " + string(m.Data)) },
			}})
			if err != nil {
				t.Fatal(err)
			}
			hs := httptest.NewServer(mount(sockets, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
			defer hs.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			got := make(chan string, 1)
			d := engine.Dialer{Engine: sockets.Engine(), Handler: engine.Handler{
				Message: func(_ *engine.Conn, m engine.Message) { got <- string(m.Data) },
			}}
			c, err := d.Dial(ctx, strings.Replace(hs.URL, "http", "ws", 1)+"/ws/red?x=1")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.SendText("hello"); err != nil {
				t.Fatal(err)
			}
			select {
			case m := <-got:
				if m != "/ws/red hello" {
					t.Error(m)
				}
			case <-ctx.Done():
				t.Fatal("no answer")
			}
			res, err := http.Get(hs.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if b, _ := io.ReadAll(res.Body); string(b) != "page" {
				t.Errorf("%q", b)
			}
			if err := sockets.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}
