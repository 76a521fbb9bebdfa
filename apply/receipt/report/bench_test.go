package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/verify"
)

// BenchmarkShow reads the receipts of 4,000 sites, 25 of each: 100,000, of the size that an update of a few images leaves. Run it
// with -benchtime 1x.
func BenchmarkShow(b *testing.B) {
	const sites, each = 4000, 25
	dir := b.TempDir()
	for i := range sites {
		fill(b, dir, fmt.Sprintf("store-%04d", i), each)
	}
	o := Options{Now: noon.Add(time.Hour), OfflineAfter: time.Hour}
	for b.Loop() {
		f, err := Read(context.Background(), dir, o)
		if err != nil || f.Receipts != sites*each || len(f.Apart) != 0 {
			b.Fatalf("%+v %v", f, err)
		}
		if err := f.CSV(devNull{}); err != nil {
			b.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}

type devNull struct{}

func (devNull) Write(p []byte) (int, error) { return len(p), nil }

// fill writes the receipts of one site, without the flushes of a spool.
func fill(b *testing.B, dir, name string, each int) {
	b.Helper()
	k, err := receipt.MakeKey(durable.Disk{}, filepath.Join(b.TempDir(), "key"))
	if err != nil {
		b.Fatal(err)
	}
	write := func(file string, s receipt.Sealed, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), s.Bytes, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	site := receipt.Site{Name: name, Labels: map[string]string{"region": "emea", "ring": "wide"}}
	enrolment, err := k.SealEnrolment(receipt.Enrolment{Site: site, Made: noon})
	write(name+".key.json", enrolment, err)
	var last *receipt.Link
	for n := range each {
		r := full(site, uint64(n+1))
		r.Previous = last
		s, err := k.Seal(r)
		write(fmt.Sprintf("%s-%d.json", name, n+1), s, err)
		last = &receipt.Link{Number: r.Number, Digest: s.Digest}
	}
}

// full is a receipt as an update of a few images leaves it.
func full(site receipt.Site, n uint64) *receipt.Receipt {
	runs := release(n)
	r := &receipt.Receipt{Site: site, Number: n, Transaction: n, Attempt: 1, Verb: "apply", Result: "committed", Release: runs,
		Began: noon, Ended: noon, Made: noon, Standing: receipt.Standing{Runs: &runs, Phase: "idle", Mirror: "6 images, complete"},
		Bytes: receipt.Bytes{Read: 412_000, Restored: 61_800_000, Reused: 800_000_000},
		Verification: &receipt.Summary{Verifier: receipt.Verifier{ID: "https://sallyport.dev/verify/v1"}, Result: "PASSED",
			Signers: []verify.Signer{{KeyID: "SHA256:" + digest.FromString("a").Encoded(), Name: "release"}}}}
	for _, p := range []string{"verified", "loaded", "written", "armed", "trial", "good"} {
		r.Phases = append(r.Phases, receipt.Phase{Phase: p, At: noon, Boot: "8d1e0c7a-6f50-4b6e-9c1e-0d5c5e7d1f10"})
	}
	for i := range 5 {
		r.Checks = append(r.Checks, check.Result{Name: fmt.Sprint("check-", i), Kind: "http", Verdict: check.Pass, Required: true, Tries: 3, Seconds: 2.5})
		r.Verification.Checks = append(r.Verification.Checks, verify.Check{Name: verify.CheckSignature, Verdict: verify.Pass, Message: "signed by a key that this site accepts"})
	}
	return r
}
