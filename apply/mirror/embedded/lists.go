package embedded

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// maxPage is how many entries a list answers with at most.
const maxPage = 1000

// tags lists a repository's tags.
func (r *Registry) tags(q *request) error {
	if q.Method != http.MethodGet {
		return methodNotAllowed()
	}
	n, last, err := page(q.URL.Query())
	if err != nil {
		return err
	}
	tags, err := q.repo.Tags(q.Context()).List(q.Context(), n, last)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err == nil && len(tags) > 0 {
		q.answerNext(n, tags[len(tags)-1])
	}
	return q.json(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{q.name.Name(), append([]string{}, tags...)})
}

// catalog lists repositories.
func (r *Registry) catalog(q *request) error {
	if q.Method != http.MethodGet {
		return methodNotAllowed()
	}
	n, last, err := page(q.URL.Query())
	if err != nil {
		return err
	}
	repos := make([]string, n)
	filled, err := r.storage.Repositories(q.Context(), repos, last)
	var empty storagedriver.PathNotFoundError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &empty) {
		return err
	}
	if err == nil && filled > 0 {
		q.answerNext(n, repos[filled-1])
	}
	return q.json(struct {
		Repositories []string `json:"repositories"`
	}{repos[:filled]})
}

// page reads how many entries are wanted, and after which.
func page(v url.Values) (n int, last string, err error) {
	n = maxPage
	if s := v.Get("n"); s != "" {
		got, err := strconv.Atoi(s)
		if err != nil || got <= 0 {
			return 0, "", errcode.ErrorCodePaginationNumberInvalid.WithDetail(s)
		}
		n = min(got, maxPage)
	}
	return n, v.Get("last"), nil
}

// answerNext tells where the next page is.
func (q *request) answerNext(n int, last string) {
	next := url.URL{Path: q.URL.Path, RawQuery: url.Values{"n": {strconv.Itoa(n)}, "last": {last}}.Encode()}
	q.w.Header().Set("Link", "<"+next.String()+`>; rel="next"`)
}
