package kube

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestQuiet(t *testing.T) {
	at := func(seconds int) time.Time { return time.Date(2026, 11, 21, 12, 0, seconds, 0, time.UTC) }
	entry := func(subresource string, seconds int) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Subresource: subresource, Time: &metav1.Time{Time: at(seconds)}}
	}
	for _, tt := range []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		now     time.Time
		want    time.Duration
		ok      bool
	}{
		{"the newest change counts", []metav1.ManagedFieldsEntry{entry("status", 10), entry("status", 20), entry("status", 5)}, at(23), 3 * time.Second, true},
		{"only the status counts", []metav1.ManagedFieldsEntry{entry("", 20), entry("status", 10)}, at(23), 13 * time.Second, true},
		{"within rounding", []metav1.ManagedFieldsEntry{entry("status", 20)}, at(19), 0, true},
		{"clock set back", []metav1.ManagedFieldsEntry{entry("status", 20)}, at(10), 0, false},
		{"no date", []metav1.ManagedFieldsEntry{entry("status", 20)}, time.Time{}, 0, false},
		{"no time", []metav1.ManagedFieldsEntry{{Subresource: "status"}}, at(20), 0, false},
		{"no status", nil, at(20), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := &unstructured.Unstructured{Object: map[string]any{}}
			u.SetManagedFields(tt.entries)
			if d, ok := quiet(u, tt.now); d != tt.want || ok != tt.ok {
				t.Errorf("got %s, %t; want %s, %t", d, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestNoteDate(t *testing.T) {
	for header, want := range map[string]int64{
		"Sat, 21 Nov 2026 12:00:00 GMT": 1795262400,
		"yesterday":                     0,
		"":                              0,
	} {
		date := time.Unix(0, 0)
		noteDate(withDate(t.Context(), &date), http.Header{"Date": {header}})
		if date.Unix() != want {
			t.Errorf("%q: got %d, want %d", header, date.Unix(), want)
		}
	}
	noteDate(t.Context(), http.Header{}) // nobody asked
}
