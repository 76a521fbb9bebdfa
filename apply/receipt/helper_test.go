package receipt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newTestKey(t *testing.T) *Key {
	t.Helper()
	k, err := MakeKey(durable.Disk{}, filepath.Join(t.TempDir(), "site.key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// spoolAt opens the spool of a key, which it enrols.
func spoolAt(t *testing.T, dir string, k *Key) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, durable.Disk{}, k)
	if err == nil {
		err = errors.Join(s.Sweep(), s.Enrol(Site{Name: "store"}, noon))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sample is the receipt of a transaction.
func sample(transaction uint64, result string) *Receipt {
	return &Receipt{Site: Site{Name: "store", Labels: map[string]string{"region": "emea"}}, Transaction: transaction, Attempt: 1, Verb: "apply",
		Result: result, Release: Release{Name: "shop", Version: fmt.Sprintf("%d.0.0", transaction), Sequence: transaction, Digest: digest.FromString("shop")},
		Began: noon, Ended: noon.Add(time.Duration(transaction) * time.Minute), Made: noon}
}

func (s *Spool) must(t *testing.T, r *Receipt) {
	t.Helper()
	if err := s.Add(r); err != nil {
		t.Fatal(err)
	}
}

// numbers tells which receipts the spool holds.
func (s *Spool) numbers() string {
	var all []string
	for _, e := range s.index.Receipts {
		all = append(all, fmt.Sprint(e.Number))
	}
	return strings.Join(all, " ")
}
