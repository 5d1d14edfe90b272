package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/roost-ws/roost/push/protocol"
)

// ask gets one message from the stream's leader, as other replicas may lag behind
// it; nil when there is none.
func (b *Bus) ask(ctx context.Context, question map[string]any) (*stored, error) {
	request, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	m, err := b.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+b.opts.Prefix, request)
	if err != nil {
		return nil, fmt.Errorf("natsbus: ask the stream's leader: %w", err)
	}
	var answer struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("natsbus: decode an answer of the stream's leader: %w", err)
	}
	switch got := answer.Message; {
	case answer.Error == nil:
		return &stored{got.Subject, got.Data, got.Seq, got.Time}, nil
	case answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil
	}
	return nil, fmt.Errorf("natsbus: ask the stream's leader: %w", answer.Error)
}

func (b *Bus) entry(m stored) (*entry, error) {
	e, err := decode(m.data)
	if err == nil && len(e.Channels) != 1 {
		err = errors.New("it names no channel, or several")
	}
	if err != nil {
		return nil, fmt.Errorf("natsbus: message %d of the stream is no event: %w", m.seq, err)
	}
	e.Position = protocol.Position{Epoch: *b.epoch.Load(), Seq: m.seq}
	return &entry{e, m.at}, nil
}

// get reads up to n messages of a subject from a sequence on, from whichever
// replica answers (ADR-31). pending is how many more there are.
func (b *Bus) get(ctx context.Context, subject string, from uint64, n int) (all []stored, pending uint64, err error) {
	fail := func(err error) ([]stored, uint64, error) {
		return nil, 0, fmt.Errorf("natsbus: read the stream: %w", err)
	}
	request, err := json.Marshal(map[string]any{"seq": max(from, 1), "next_by_subj": subject, "batch": n, "max_bytes": batchBytes})
	if err != nil {
		return fail(err)
	}
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails when the connection is closed
	if err := b.nc.PublishRequest("$JS.API.DIRECT.GET."+b.opts.Prefix, inbox, request); err != nil {
		return fail(err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return fail(err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
			if err != nil {
				return fail(err)
			}
			at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
			if err != nil {
				return fail(err)
			}
			all = append(all, stored{m.Header.Get(jetstream.SubjectHeader), m.Data, seq, at})
		case "204", "404":
			pending, _ = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64) // none for 404
			return all, pending, nil
		default:
			return fail(errors.New(status + " " + m.Header.Get("Description")))
		}
	}
}
