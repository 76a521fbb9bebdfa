package kube

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// party is who a field manager is to us.
type party int

const (
	us party = iota
	// people are persons and their tools: what they change is drift.
	people
	// programs are the controllers of the cluster. What they change is their business: they would only change it again.
	programs
)

// fieldSet is the part of a FieldsV1 that lies at one place of an object: what somebody owns there. Its keys are ".",
// f:NAME for fields, k:{KEYS} and v:VALUE for items of lists.
type fieldSet map[string]any

// manager is a field manager and what it owns of the object.
type manager struct {
	name   string
	party  party
	scales bool // by the subresource scale
	time   metav1.Time
	fields fieldSet
}

// nameless are controllers whose authors gave them no name of their own, and what was there before anybody noted who wrote
// it.
var nameless = regexp.MustCompile(`(?i)webhook|(^|-)manager$|^(kubelite|before-first-apply)$`)

// managersOf reads who owns which fields of an object, the status apart.
func managersOf(u *unstructured.Unstructured) []manager {
	var all []manager
	for _, f := range u.GetManagedFields() {
		if f.FieldsV1 == nil || f.Subresource != "" && f.Subresource != "scale" {
			continue
		}
		o := manager{name: f.Manager, party: people, scales: f.Subresource == "scale"}
		if f.Time != nil {
			o.time = *f.Time
		}
		switch {
		case f.Manager == FieldManager:
			o.party = us
		case controllers.MatchString(f.Manager), nameless.MatchString(f.Manager), o.scales && !strings.HasPrefix(f.Manager, "kubectl"):
			o.party = programs
		}
		if json.Unmarshal(f.FieldsV1.GetRawBytes(), &o.fields) != nil || o.fields == nil {
			continue
		}
		if texts := o.fields.field("stringData"); utils.IsSecret(u) && texts != nil { // which the server keeps as data
			o.fields.add(fieldSet{"f:data": map[string]any(texts)})
		}
		all = append(all, o)
	}
	return all
}

// ownedBy is all that the members of a party own. A number of replicas that a person has set by the subresource is left out:
// where the release names none, it is for others to set.
func ownedBy(all []manager, p party) fieldSet {
	out := fieldSet{}
	for _, o := range all {
		if o.party == p && (!o.scales || p != people) {
			out.add(o.fields)
		}
	}
	return out
}

func (s fieldSet) add(more fieldSet) {
	for k, v := range more {
		m, _ := v.(map[string]any)
		have, _ := s[k].(map[string]any)
		both := fieldSet{}
		both.add(have)
		both.add(m)
		s[k] = map[string]any(both)
	}
}

// field is what is owned at and below a field; nil if nothing is.
func (s fieldSet) field(name string) fieldSet { return s.at("f:" + name) }

func (s fieldSet) at(key string) fieldSet {
	m, _ := s[key].(map[string]any)
	return m
}

// item is what is owned at and below an item of a list; nil if nothing is.
func (s fieldSet) item(item any) fieldSet {
	for k := range s {
		if isItem(k, item) {
			return s.at(k)
		}
	}
	return nil
}

// leaf tells that what is owned is owned as a whole.
func (s fieldSet) leaf() bool { return s != nil && len(s) == 0 }

// keyed tells whether the items of a list are owned one by one.
func (s fieldSet) keyed() bool {
	for k := range s {
		if strings.HasPrefix(k, "k:") || strings.HasPrefix(k, "v:") {
			return true
		}
	}
	return false
}

// isItem tells whether a key of a fieldSet names an item of a list.
func isItem(key string, item any) bool {
	kind, text, _ := strings.Cut(key, ":")
	var v any
	if kind != "k" && kind != "v" || json.Unmarshal([]byte(text), &v) != nil {
		return false
	}
	if kind == "v" {
		return sameScalar(v, item)
	}
	keys, _ := v.(map[string]any)
	fields, ok := item.(map[string]any)
	return ok && len(keys) > 0 && !slices.ContainsFunc(mapKeys(keys), func(k string) bool { return !sameScalar(keys[k], fields[k]) })
}

func mapKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// sameScalar compares values of which one may be a float64 where the other is an int64. Protocols are TCP where nothing
// is written.
func sameScalar(a, b any) bool {
	if a == "TCP" && b == nil {
		return true
	}
	return reflect.DeepEqual(a, b) || a != nil && b != nil && reflect.TypeOf(a).Kind() != reflect.String && asText(a) == asText(b)
}

func asText(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// managersAt are those who own something at or below a field of what all of them share.
func managersAt(all []manager, key string, item any, ofList bool) []manager {
	var out []manager
	for _, o := range all {
		switch {
		case o.fields.leaf(): // as a whole
		case ofList:
			if o.fields = o.fields.item(item); o.fields == nil {
				continue
			}
		default:
			if o.fields = o.fields.field(key); o.fields == nil {
				continue
			}
		}
		out = append(out, o)
	}
	return out
}

// blamed is who changed a field last, of those who own it: people before controllers. Nobody owns what is not there.
func blamed(all []manager) (who manager, ok bool) {
	for _, o := range all {
		if o.party != us && (!ok || o.party < who.party || o.party == who.party && who.time.Before(&o.time)) {
			who, ok = o, true
		}
	}
	return who, ok
}
