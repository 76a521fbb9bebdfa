package kube

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// clockSlack is how far behind its own time stamps the server's clock may seem to be: both are in whole seconds.
const clockSlack = 2 * time.Second

type dateKey struct{}

// withDate is a context whose answers leave the server's time in date, which stays zero if they do not tell it.
func withDate(ctx context.Context, date *time.Time) context.Context {
	return context.WithValue(ctx, dateKey{}, date)
}

func noteDate(ctx context.Context, h http.Header) {
	date, ok := ctx.Value(dateKey{}).(*time.Time)
	if !ok {
		return
	}
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		*date = t
	}
}

// quiet is how long, at the server's time now, an object's status has not changed. Both ends are read from the
// server's own clock (it stamps each change of a status), so neither a node's clock nor ours matters. ok is false if
// the server does not tell, or if its clock was set back in between.
func quiet(u *unstructured.Unstructured, now time.Time) (d time.Duration, ok bool) {
	var changed time.Time
	for _, f := range u.GetManagedFields() {
		if f.Subresource == "status" && f.Time != nil && f.Time.After(changed) {
			changed = f.Time.Time
		}
	}
	if now.IsZero() || changed.IsZero() || now.Before(changed.Add(-clockSlack)) {
		return 0, false
	}
	return max(now.Sub(changed), 0), true
}
