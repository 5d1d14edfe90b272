package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gorilla/websocket"

	"github.com/roost-ws/roost/internal/doctor"
	"github.com/roost-ws/roost/loadtest"
)

// What doctor says of a million is what it measured at 15,000. A constant may
// promise less than the truth by the noise of a busy machine, and more than it by
// half: then it is out of date.
func TestDoctorsConstantsHoldAt15000(t *testing.T) {
	const conns, beat = 15_000, 4 * time.Second
	needsTheMachine(t)
	if !hasDescriptors(t, conns+doctor.SpareDescriptors) {
		t.Skip("needs a descriptor a connection")
	}
	// Idle connections for memory and handshakes; then, their heartbeats.
	server, url := startEcho(t, "--ping-interval", beat.String())
	client := startRoost(t, nil, "loadtest", "idle", url, "--conns", fmt.Sprint(conns), "--hold", "1h", "--json",
		"--source-ip", "127.0.0.2-127.0.0.3", "--server-pid", fmt.Sprint(server.cmd.Process.Pid))
	client.stderr.waitFor(t, "hold ")
	handshakes := serverCPU(t, server)
	time.Sleep(2 * beat) // what is measured: two whole intervals, whenever they begin
	beats := serverCPU(t, server) - handshakes
	client.signal(t, syscall.SIGINT)
	var r loadtest.Report
	must(t, json.NewDecoder(client.stdout).Decode(&r))
	if r.Connections.Opened != conns || r.Idle.Standing != conns || r.Idle.Memory.User == nil || r.Idle.Memory.Kernel == nil {
		t.Fatalf("no measure: %+v, %+v", r.Connections, r.Idle)
	}
	within(t, "UserBytes", r.Idle.Memory.User.PerConnection, doctor.UserBytes, 1.2)
	within(t, "KernelBytes", r.Idle.Memory.Kernel.PerConnection/2, doctor.KernelBytes, 1.2)
	within(t, "BaseBytes", float64(r.Idle.Memory.User.Before), doctor.BaseBytes, 1.2)
	within(t, "HandshakeCost", handshakes.Seconds()/conns*1e6, us(doctor.HandshakeCost), 1.5)
	within(t, "HeartbeatCost", beats.Seconds()/(2*conns)*1e6, us(doctor.HeartbeatCost), 1.5)
}

// needsTheMachine skips where other tests run beside: the kernel's memory and the
// processor's time are everybody's, and .ci/run's machine may be another one.
func needsTheMachine(t *testing.T) {
	t.Helper()
	if os.Getenv("ROOST_FIGURES") == "" || len(buildFlags) > 0 {
		t.Skip("measures the machine, alone and without the race detector: ROOST_FIGURES=1 go test -run TestDoctors ./cmd/roost")
	}
}

// A broadcast's cost needs connections that listen, and one that speaks.
func TestDoctorsDeliveryCostHoldsAt15000(t *testing.T) {
	const conns, messages = 15_000, 20
	needsTheMachine(t)
	if !hasDescriptors(t, conns+doctor.SpareDescriptors) {
		t.Skip("needs a descriptor a connection")
	}
	server, url := startEcho(t, "--broadcast")
	client := startRoost(t, nil, "loadtest", "idle", url, "--conns", fmt.Sprint(conns), "--hold", "1h", "--source-ip", "127.0.0.2-127.0.0.3")
	client.stderr.waitFor(t, "hold ")
	c := dialGorilla(t, url)
	before := serverCPU(t, server)
	for range messages {
		must(t, c.WriteMessage(websocket.TextMessage, []byte("to all of them")))
		must(t, c.SetReadDeadline(time.Now().Add(patience)))
		if _, _, err := c.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	after := settledCPU(t, server)
	within(t, "DeliveryCost", (after-before).Seconds()/(messages*conns)*1e6, us(doctor.DeliveryCost), 1.5)
	client.signal(t, syscall.SIGINT)
	client.wait(t)
}

// settledCPU waits until the server has gone quiet: the speaker may get a
// broadcast before others do.
func settledCPU(t *testing.T, p *process) (now time.Duration) {
	t.Helper()
	eventually(t, "a quiet server", func() error {
		before := serverCPU(t, p)
		time.Sleep(100 * time.Millisecond)
		if now = serverCPU(t, p); now-before > time.Millisecond {
			return fmt.Errorf("used %v within 100 ms", now-before)
		}
		return nil
	})
	return now
}

func hasDescriptors(t *testing.T, n uint64) bool {
	t.Helper()
	var l unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &l))
	return l.Max >= n
}

// serverCPU reads the kernel's clock of a process (clock_getcpuclockid(3)).
func serverCPU(t *testing.T, p *process) time.Duration {
	t.Helper()
	const scheduled = 2
	var s unix.Timespec
	must(t, unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|scheduled), &s))
	return time.Duration(s.Nano())
}

// within wants a measure no more than over times the constant, and no less than
// half of it.
func within(t *testing.T, name string, measured, constant, over float64) {
	t.Helper()
	t.Logf("%s is %.0f, measured %.1f", name, constant, measured)
	if measured > over*constant || measured < constant/2 {
		t.Errorf("doctor.%s is %.0f, measured %.1f: set it anew", name, constant, measured)
	}
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
