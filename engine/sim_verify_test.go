//go:build unix

package engine

import (
	"context"
	"fmt"
	"net/http"
)

// verify is VerifyClientAsync.
func (w *world) verify(_ context.Context, info *VerifyInfo, done VerifyCallback) {
	var id int
	_, _ = fmt.Sscanf(info.Req.Path(), "/p/%d", &id)
	p := w.peers[id%len(w.peers)]
	bad := w.chance(5)
	w.verdicts = append(w.verdicts, func() {
		w.log("peer %d: verdict %v", id, !bad)
		if bad {
			p.cause("refused")
		}
		done(!bad, http.StatusForbidden, "", nil)
		if w.chance(3) {
			done(w.chance(2), 0, "", nil) // does nothing
		}
	})
	if w.chance(3) {
		w.giveVerdict()
	}
}

func (w *world) giveVerdict() {
	if len(w.verdicts) > 0 {
		v := w.verdicts[0]
		w.verdicts = w.verdicts[1:]
		v()
	}
}
