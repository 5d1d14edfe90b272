package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// natsEnv has the test binary be a NATS server: it is a process of its own then,
// which can be killed.
const natsEnv = "ROOST_TEST_NATS"

// natsOptions are what the process is told.
type natsOptions struct {
	Name, Store   string
	Port, Cluster int // the cluster's port; 0: alone
	Routes        []string
}

// runNATS is the whole life of that process.
func runNATS(text string) int {
	var o natsOptions
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "NATS:", err)
		return 1
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fail(err)
	}
	options := &natsserver.Options{ServerName: o.Name, Host: "127.0.0.1", Port: o.Port, NoSigs: true, JetStream: true, StoreDir: o.Store}
	if o.Cluster != 0 {
		options.Cluster = natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: o.Cluster}
		options.Routes = natsserver.RoutesFromStr(strings.Join(o.Routes, ","))
	}
	s, err := natsserver.NewServer(options)
	if err != nil {
		return fail(err)
	}
	go s.Start()
	if !s.ReadyForConnections(patience) {
		return fail(fmt.Errorf("not ready within %v", patience))
	}
	for ready := time.Now().Add(patience); o.Cluster != 0 && !s.JetStreamIsCurrent(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(ready) {
			return fail(fmt.Errorf("the cluster has no leader within %v", patience))
		}
	}
	fmt.Println("ready")
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	s.Shutdown()
	s.WaitForShutdown()
	return 0
}

// nats is a NATS server that may be ended and started again.
type nats struct {
	natsOptions
	*process
}

func (n *nats) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", n.Port) }

// launch starts the process, and await returns when it is ready.
func (n *nats) launch(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(n.natsOptions)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), natsEnv+"="+string(text))
	n.process = startProcess(t, cmd)
}

func (n *nats) await(t *testing.T) {
	t.Helper()
	if got := n.line(t); got != "ready\n" {
		t.Fatalf("NATS said %q", got)
	}
}

// startNATS runs servers, which form a cluster when they are several.
func startNATS(t *testing.T, servers int) []*nats {
	t.Helper()
	all := make([]*nats, servers)
	var routes []string
	for i := range all {
		o := natsOptions{Name: fmt.Sprint("n", i), Store: t.TempDir(), Port: freePort(t)}
		if servers > 1 {
			o.Cluster = freePort(t)
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", o.Cluster))
		}
		all[i] = &nats{natsOptions: o}
	}
	for _, n := range all {
		n.Routes = routes
		n.launch(t)
	}
	for _, n := range all {
		n.await(t)
	}
	return all
}

// freePort is a port at which nobody listens now. It is none of those that the kernel
// gives to who asks for any, so that nobody else has it before its process does.
func freePort(t *testing.T) int {
	t.Helper()
	var err error
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no free port: ", err)
	return 0
}
