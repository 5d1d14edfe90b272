package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-ws/roost/engine"
)

// patience bounds every wait. Only a test that fails ever spends it.
const patience = 10 * time.Second

// site is an echo server and how to reach it.
type site struct {
	name string
	addr string
	tls  *tls.Config // nil without TLS
}

// Both kinds of dispatch, and TLS. The second of each compresses for who offers it.
var plainSites, deflateSites []site

func TestMain(m *testing.M) {
	// The conversations are mostly of one message at a time: several keep a machine busy.
	// A -parallel on the command line comes after this.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	flag.Parse()                     // for testing.Short
	before := goleak.IgnoreCurrent() // importing ants began a pool of its own
	code := serveAndRun(m)
	if err := goleak.Find(before); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func serveAndRun(m *testing.M) int {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	serverTLS := &tls.Config{Certificates: certificate.TLS.Certificates}
	clientTLS := &tls.Config{InsecureSkipVerify: true} // httptest's names are not ours
	for _, x := range []struct {
		name     string
		dispatch engine.Dispatch
		tls      *tls.Config
	}{{"pool", engine.DispatchPool, nil}, {"loop", engine.DispatchLoop, nil}, {"tls", engine.DispatchPool, serverTLS}} {
		for _, deflate := range []*engine.DeflateOptions{nil, {}} {
			s, err := serve(engine.ServerOptions{
				Config: engine.Config{Dispatch: x.dispatch}, TLS: x.tls, PerMessageDeflate: deflate,
			})
			if err != nil {
				if errors.Is(err, errors.ErrUnsupported) {
					return 0
				}
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer shutdown(s)
			at := site{name: x.name, addr: s.Addr().String()}
			if x.tls != nil {
				at.tls = clientTLS
			}
			if deflate == nil {
				plainSites = append(plainSites, at)
			} else {
				deflateSites = append(deflateSites, at)
			}
		}
	}
	return m.Run()
}

// serve is roost echo: default limits, room for what may come to go back, and every
// message sent back as it came.
func serve(o engine.ServerOptions) (*engine.Server, error) {
	o.Addr, o.MaxOutbox = "127.0.0.1:0", 128<<20
	o.Handler.Message = func(c *engine.Conn, m engine.Message) { _ = c.Send(m.Opcode(), m.Data) }
	return engine.NewServer(o)
}

// shutdown also tells of connections that are still there though their clients
// have gone.
func shutdown(s *engine.Server) {
	for end := time.Now().Add(patience); s.Engine().Stats().Conns > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			panic(fmt.Sprintf("%d connections outlive their clients", s.Engine().Stats().Conns))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		panic(err)
	}
}

// quick asks for fewer repetitions.
func quick() bool { return raceDetector || testing.Short() }
