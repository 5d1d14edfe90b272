package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/roost-ws/roost/bench/internal/lab"
)

// results are everything that million.md is made from.
type results struct {
	Guest *guest `json:"guest,omitempty"`
	Fleet *fleet `json:"fleet,omitempty"`
}

// record is what any run says of itself.
type record struct {
	Date    string `json:"date"`
	Machine string `json:"machine"`
	Roost   string `json:"roost"`
	Command string `json:"command"`
}

// guest is a run in the guest kernel.
type guest struct {
	record
	Kernel      string   `json:"kernel"`
	Memory      string   `json:"memory"`
	ServerFlags string   `json:"server_flags"`
	ClientFlags string   `json:"client_flags"`
	Report      report   `json:"report"`
	PeakRSS     int64    `json:"peak_rss"` // of the samples: while connections opened and stood
	Samples     []sample `json:"samples"`
}

// sample is the guest at one moment.
type sample struct {
	Seconds int   `json:"seconds"` // since the guest's script began
	Sockets int   `json:"sockets"` // two a connection
	RSS     int64 `json:"rss"`     // the server's, bytes
	Slab    int64 `json:"slab"`    // bytes
	Left    int64 `json:"left"`    // bytes of memory
}

// report is what is read of a report of roost loadtest.
type report struct {
	Started     time.Time `json:"started"`
	Connections struct {
		Wanted    int           `json:"wanted"`
		Opened    int           `json:"opened"`
		Failed    int           `json:"failed"`
		Lost      int           `json:"lost"`
		Took      time.Duration `json:"took_ns"`
		PerSecond float64       `json:"per_second"`
	} `json:"connections"`
	Idle struct {
		Standing int `json:"standing"`
		Pings    int `json:"pings"`
		Verified struct {
			Echoed int           `json:"echoed"`
			Silent int           `json:"silent"`
			Took   time.Duration `json:"took_ns"`
		} `json:"verified"`
		Memory struct {
			User   growth `json:"user"`
			Kernel struct {
				PerConnection float64 `json:"per_connection"`
			} `json:"kernel"`
		} `json:"memory"`
	} `json:"idle"`
}

// growth is resident memory before the first connection and at the end.
type growth struct {
	Before        int64   `json:"before"`
	After         int64   `json:"after"`
	PerConnection float64 `json:"per_connection"`
}

func newRecord(ctx context.Context, o options) record {
	return record{
		Date:    date(time.Now()),
		Machine: lab.Machine(ctx),
		Roost:   lab.Output(ctx, o.roostBin, "version"),
		Command: command(o),
	}
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// command is the run's command line, without where files lie.
func command(o options) string {
	if o.fleet > 0 {
		return fmt.Sprintf("go run ./million -fleet %d -conns %d -hold %v", o.fleet, o.conns, o.hold)
	}
	return fmt.Sprintf("go run ./million -conns %d -mem %s", o.conns, o.mem)
}

// untilClosing leaves out what came after all connections stood: that a million
// close at once is another load.
func untilClosing(all []sample) []sample {
	end, most := 0, 0
	for i, s := range all {
		if s.Sockets >= most {
			end, most = i+1, s.Sockets
		}
	}
	return all[:end]
}

// thin keeps about n of the samples, the last among them.
func thin(all []sample, n int) (some []sample) {
	step := max(1, len(all)/n)
	for i := (len(all) - 1) % step; i >= 0 && i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

func (r *results) load(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "million.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

func (r *results) save(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "million.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "million.md"), []byte(r.markdown()), 0o644)
}
