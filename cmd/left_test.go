package cmd

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/kube"
)

// That nothing was lost is said where it is true, and only there.
func TestNothingWasLost(t *testing.T) {
	left := []apply.Left{{ID: kube.ID{Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "orders"}, Why: "it cannot shrink"}}
	for name, c := range map[string]struct {
		res         apply.Result
		says, never string
	}{
		"all is back":        {apply.Result{}, "Nothing was lost.", "not all"},
		"an object was left": {apply.Result{Left: left}, "left      PersistentVolumeClaim shop/orders: it cannot shrink", "Nothing was lost"},
		"an object is there": {apply.Result{Leaving: left}, "leaving   PersistentVolumeClaim shop/orders: it cannot shrink", "Nothing was lost"},
	} {
		var b bytes.Buffer
		p := &program{out: &b, err: &b}
		p.ui = newUI(&b, &b, commonFlags{progress: "plain", logFormat: "text"})
		site := apply.New(&apply.Config{Metadata: apply.Metadata{Name: "store-0142"}, Spec: apply.Spec{State: t.TempDir()}}, apply.Deps{})
		p.closing(site, &c.res, &apply.Error{Word: "rolled-back", Text: "it failed"})
		if got := b.String(); !strings.Contains(got, c.says) || strings.Contains(got, c.never) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
