package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/sallyport-dev/sallyport/bundle/manifest/helm"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

const (
	// maxObjects bounds a release, maxFolderDepth how deep folders are searched (links may lead in circles).
	maxObjects     = kubeyaml.MaxObjects
	maxFolderDepth = 16
)

// Source is a place where manifests are.
type Source struct {
	// Path is a YAML or JSON file, a folder of them, a folder with a kustomization, or a chart: a folder, an archive, or
	// with Archive a name for messages.
	Path string
	// Archive, if not nil, is the bytes of a chart.
	Archive []byte
	// Helm is how a chart is rendered; nil is Helm's defaults.
	Helm *helm.Options
	// Place is where the path was written, for messages; it may be empty.
	Place Place
}

// Rendered is the objects of a release, in the order of their sources.
type Rendered struct {
	Objects []Object
	// Charts are the charts among the sources.
	Charts []Chart
	// Notes are what whoever builds the release should know, a sentence each.
	Notes []string
}

// Render reads the sources. It must not run twice at the same time: kustomize keeps process-wide state.
func Render(ctx context.Context, sources []Source) (*Rendered, error) {
	r := &Rendered{}
	for _, s := range sources {
		before := len(r.Objects)
		if err := r.source(ctx, s); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, &Error{Place: s.Place, Problem: "manifests: " + err.Error(), Advice: "paths are relative to the file that names them"}
			}
			return nil, err
		}
		if len(r.Objects) == before {
			return nil, &Error{Place: s.Place, Problem: fmt.Sprintf("manifests: no object is in %s", s.Path)}
		}
	}
	r.placeCharts()
	for k := range r.Objects {
		if err := r.Objects[k].checkTexts(); err != nil {
			return nil, err
		}
	}
	return r, r.checkUnique()
}

// source reads one source.
func (r *Rendered) source(ctx context.Context, s Source) error {
	switch {
	case s.Archive != nil:
		chart, err := helm.Read(s.Path, bytes.NewReader(s.Archive))
		if err != nil {
			return err
		}
		return r.addChart(chart, s.Helm)
	case helm.IsChart(s.Path) && (s.Helm != nil || kustomization(s.Path) == ""):
		return r.openChart(s.Path, s.Helm)
	case s.Helm != nil:
		return &Error{Place: s.Place, Problem: fmt.Sprintf("manifests: %s is no Helm chart: it has no Chart.yaml", s.Path),
			Advice: "take helm away, or name the chart's folder or archive"}
	}
	return r.add(ctx, s.Path, 0)
}

// add reads what is at a path: a file, a kustomization or a folder.
func (r *Rendered) add(ctx context.Context, path string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	var objects []Object
	switch {
	case !info.IsDir() && slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)):
		objects, err = kustomize(filepath.Dir(path))
	case !info.IsDir():
		objects, err = parseFile(path)
	case kustomization(path) != "":
		objects, err = kustomize(path)
	case helm.IsChart(path):
		return r.openChart(path, nil)
	default:
		return r.addFolder(ctx, path, depth)
	}
	if err != nil {
		return err
	}
	return r.keep(path, objects)
}

// keep adds the objects of one path.
func (r *Rendered) keep(path string, objects []Object) error {
	if r.Objects = append(r.Objects, objects...); len(r.Objects) > maxObjects {
		return &Error{Place: Place{File: path}, Problem: fmt.Sprintf("there are more than %d objects up to here", maxObjects)}
	}
	return nil
}

// addFolder reads the manifests in a folder and below, sorted.
func (r *Rendered) addFolder(ctx context.Context, dir string, depth int) error {
	if depth == maxFolderDepth {
		return &Error{Place: Place{File: dir}, Problem: fmt.Sprintf("folders are nested deeper than %d levels", maxFolderDepth)}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(path) // follows links
		if err != nil {
			return err
		}
		if !info.IsDir() && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			continue
		}
		if err := r.add(ctx, path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// kustomization gives the path of a folder's kustomization; empty if it has none.
func kustomization(dir string) string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkUnique refuses two objects that a cluster could not tell apart.
func (r *Rendered) checkUnique() error {
	seen := make(map[[4]string]Place, len(r.Objects))
	for k := range r.Objects {
		o := &r.Objects[k]
		if first, ok := seen[o.Key()]; ok {
			return &Error{Place: o.Place, Problem: fmt.Sprintf("%s is also in %s", o.ID(), first), Advice: "keep one of the two"}
		}
		seen[o.Key()] = o.Place
	}
	return nil
}

// Marshal gives the objects as one multi-document YAML stream, keys sorted; the same objects always give the same
// bytes.
func (r *Rendered) Marshal() ([]byte, error) {
	documents := make([][]byte, len(r.Objects))
	for k := range r.Objects {
		o := &r.Objects[k]
		b, err := kubeyaml.Marshal(o.Fields)
		if err != nil {
			return nil, &Error{Place: o.Place, Problem: o.ID() + " cannot be packed", Err: err}
		}
		if len(b) > kubeyaml.MaxObject {
			return nil, &Error{Place: o.Place, Problem: fmt.Sprintf("%s has %d bytes, more than the %d that an API server takes", o.ID(), len(b), kubeyaml.MaxObject)}
		}
		documents[k] = b
	}
	return kubeyaml.Join(documents), nil
}
