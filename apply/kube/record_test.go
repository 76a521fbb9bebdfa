package kube

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"
)

func recordOf(t *testing.T, yaml string) []byte {
	t.Helper()
	objs, err := parseYAML([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r, err := newRecorder(&b)
	for _, u := range objs {
		if err == nil {
			err = r.add(u)
		}
	}
	if err == nil {
		err = r.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecordIsRead(t *testing.T) {
	large := configMap("a", "large", `"`+strings.Repeat("x", maxRecorded)+`"`)
	r, err := ReadRecord(bytes.NewReader(recordOf(t, configMap("a", "small", `"1"`)+"status: {a: b}\n"+large)))
	if err != nil {
		t.Fatal(err)
	}
	small := ID{Version: "v1", Kind: "ConfigMap", Namespace: "a", Name: "small"}
	u := r.object(small)
	if u == nil || u.Object["status"] != nil || u.Object["data"].(map[string]any)["limit"] != "1" {
		t.Errorf("got %v", u)
	}
	too := ID{Version: "v1", Kind: "ConfigMap", Namespace: "a", Name: "large"}
	if !slices.Equal(r.Left, []ID{too}) || r.object(too) != nil {
		t.Errorf("left out: %v", r.Left)
	}
	var none *Record
	if none.object(small) != nil {
		t.Error("no record has an object")
	}
}

func TestRecordThatIsNone(t *testing.T) {
	packed := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return b.Bytes()
	}
	whole := recordOf(t, configMap("a", "b", `"1"`))
	const head = `{"apiVersion":"sallyport.dev/v1","kind":"Record"}` + "\n"
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"not packed":       []byte(head),
		"cut short":        whole[:len(whole)-5],
		"empty":            packed(""),
		"no head":          packed(`{"object":{"kind":"A","metadata":{"name":"a"}}}` + "\n"),
		"another kind":     packed(strings.Replace(head, "Record", "Inventory", 1)),
		"two heads":        packed(head + head),
		"no JSON":          packed(head + "{\n"),
		"a nameless thing": packed(head + `{"object":{"kind":"A"}}` + "\n"),
		"a long line":      packed(head + `{"object":{"kind":"` + strings.Repeat("A", maxRecorded+70<<10) + `"}}` + "\n"),
	} {
		if r, err := ReadRecord(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: got %v", name, r)
		}
	}
}
