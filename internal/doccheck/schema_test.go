package doccheck_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/doccheck"
)

// drifted is what site.yaml's struct would be after careless changes.
type drifted struct {
	APIVersion string           `json:"apiVersion"`
	Kind       int              `json:"kind"`
	Metadata   driftedMetadata  `json:"metadata"`
	Spec       *driftedSpec     `json:"spec"`
	Extra      map[string][]int `json:"extra"`
}

type driftedMetadata struct {
	Name   string         `json:"name"`
	Labels map[string]int `json:"labels"`
}

type driftedSpec struct {
	State     string `json:"state"`
	Platform  any    `json:"platform"`
	Trust     []bool `json:"trust"`
	Mirror    struct{}
	Target    map[string]string
	Slots     struct{ Backend string }
	ChecksDir string `json:"checkDir"`
}

func TestCompareFindsDrift(t *testing.T) {
	schema, err := doccheck.Site()
	if err != nil {
		t.Fatal(err)
	}
	got := schema.Compare(reflect.TypeFor[drifted](), []string{"spec.slots", "spec.nothing"})
	// Of the many fields that the type lacks, one tells that they are found.
	got = slices.DeleteFunc(got, func(text string) bool {
		return strings.HasSuffix(text, " is in the schema only") && !strings.HasPrefix(text, "spec.checksDir ")
	})
	slices.Sort(got)
	want := []string{
		"extra is not in the schema",
		"kind is [string] in the schema, not integer",
		"metadata.labels does not say what its values are",
		"spec.checkDir is not in the schema",
		"spec.checksDir is in the schema only",
		"spec.nothing is excepted and is no field",
		"spec.platform is [string] in the schema, not what a interface {} holds",
		"spec.slots is in the schema, though the program refuses it",
		"spec.target does not say what its values are",
		"spec.trust is [string] in the schema, not array",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
