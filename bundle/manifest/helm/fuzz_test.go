package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"testing"
)

// packed makes an archive of a chart from its files.
func packed(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, text := range files {
		if err := tw.WriteHeader(&tar.Header{Name: "small/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever an archive holds, the answer is a chart or a typed error.
func FuzzRead(f *testing.F) {
	f.Add(packed(f, map[string]string{"Chart.yaml": "{apiVersion: v2, name: small, version: 1.0.0}", "values.yaml": "a: 1", "templates/x.yaml": "{{ .Values.a }}"}))
	f.Add(packed(f, map[string]string{"Chart.yaml": "{apiVersion: v1, name: small, version: 1}", "charts/sub/Chart.yaml": "{}", "../x": "", "charts/y.tgz": "x"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		_, err := Read("small.tgz", bytes.NewReader(archive))
		var typed interface{ Reason() string }
		if err != nil && !errors.As(err, &typed) {
			t.Errorf("%v (%T) is no typed error", err, err)
		}
	})
}

// An archive that grows beyond all measure costs bounded memory.
func TestArchiveThatGrows(t *testing.T) {
	bomb := packed(t, map[string]string{"Chart.yaml": "{apiVersion: v2, name: small, version: 1.0.0}", "zeros": string(make([]byte, 6<<20))})
	if _, err := Read("small.tgz", bytes.NewReader(bomb)); err == nil {
		t.Errorf("%d bytes that become 6 MiB in one file are taken", len(bomb))
	}
}
