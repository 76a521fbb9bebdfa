package testpairs

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Fault is a way in which putting back goes wrong and is taken to have gone right.
type Fault string

const (
	// FaultField leaves a field that only the second release has.
	FaultField Fault = "field"
	// FaultObject leaves an object as the second release has it.
	FaultObject Fault = "object"
	// FaultDelete leaves an object that only the second release has.
	FaultDelete Fault = "delete"
)

// Faulty is a proxy before an API server that plants a fault once it is armed: in the first write that has to do with
// it, and in all later ones of the same object.
type Faulty struct {
	Fault Fault
	Pair  *Pair
	proxy *httputil.ReverseProxy
	base  *url.URL

	mu     sync.Mutex
	armed  bool
	struck string // the path of the object in the API
	what   Difference
}

// NewFaulty makes a proxy before the server.
func NewFaulty(f Fault, p *Pair, server string) (*Faulty, error) {
	base, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(base)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // made for this test
	return &Faulty{Fault: f, Pair: p, proxy: proxy, base: base}, nil
}

// Arm lets the fault happen from now on.
func (f *Faulty) Arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
}

// Struck returns the object, and the field if there is one, that were left; the zero value if nothing was.
func (f *Faulty) Struck() Difference {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.what
}

// ServeHTTP implements http.Handler.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	done := f.armed && r.URL.Query().Get("dryRun") == "" && f.plant(w, r)
	f.mu.Unlock()
	if !done {
		f.proxy.ServeHTTP(w, r)
	}
}

// plant strikes a request, which it answers itself, changes, or leaves as it is.
func (f *Faulty) plant(w http.ResponseWriter, r *http.Request) (answered bool) {
	switch {
	case f.struck != "" && f.struck != r.URL.Path:
		return false
	case f.Fault == FaultDelete && r.Method == http.MethodGet && f.struck != "":
		answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		return true
	case f.Fault == FaultDelete && r.Method == http.MethodDelete:
		return f.leave(w, r)
	case f.Fault == FaultDelete || r.Method != http.MethodPatch && r.Method != http.MethodPut:
		return false
	}
	old, next := f.named(r.URL.Path)
	if old == nil || next == nil {
		return false
	}
	if f.Fault == FaultField {
		f.keepField(r, old, next)
		return false
	}
	if reflect.DeepEqual(old.Object, next.Object) {
		return false
	}
	f.strike(r, next, "")
	r.Method, r.Body, r.ContentLength = http.MethodGet, http.NoBody, 0
	r.URL.RawQuery = ""
	return false // the server tells what is there, as it would after a write that changes nothing
}

// leave answers for a deletion that does not happen.
func (f *Faulty) leave(w http.ResponseWriter, r *http.Request) bool {
	old, next := f.named(r.URL.Path)
	if old != nil || next == nil {
		return false
	}
	f.strike(r, next, "")
	answer(w, http.StatusOK, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	return true
}

// keepField puts a field of the second release into what is written.
func (f *Faulty) keepField(r *http.Request, old, next *Object) {
	path, value := added(old.Object, next.Object)
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var m map[string]any
	if err != nil || path == nil || yaml.Unmarshal(body, &m) != nil {
		return
	}
	if err := unstructured.SetNestedField(m, value, path...); err != nil {
		return
	}
	if body, err = json.Marshal(m); err != nil {
		return
	}
	f.strike(r, next, "."+strings.Join(path, "."))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

func (f *Faulty) strike(r *http.Request, u *Object, path string) {
	f.struck, f.what = r.URL.Path, Difference{Object: dumpName(u.GetKind(), u.GroupVersionKind().Group, u.GetName()), Path: path}
}

// named finds the pair's objects that are at a path of the API: one of each release, nil where there is none.
func (f *Faulty) named(path string) (old, next *Object) {
	is := func(u *Object) bool {
		plural := strings.ToLower(u.GetKind()) + "s"
		return strings.HasSuffix(path, "/"+plural+"/"+u.GetName())
	}
	if i := slices.IndexFunc(f.Pair.Old, is); i >= 0 {
		old = f.Pair.Old[i]
	}
	if i := slices.IndexFunc(f.Pair.New, is); i >= 0 {
		next = f.Pair.New[i]
	}
	return old, next
}

// added finds a text that only the second release has, in maps of data, labels or annotations.
func added(old, next map[string]any) (path []string, value any) {
	for _, at := range [][]string{{"data"}, {"metadata", "labels"}, {"metadata", "annotations"}} {
		was, _, _ := unstructured.NestedMap(old, at...)
		is, _, _ := unstructured.NestedMap(next, at...)
		for k, v := range is {
			if _, ok := was[k]; !ok {
				return append(at, k), v
			}
		}
	}
	return nil, nil
}

func answer(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}
