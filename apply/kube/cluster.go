package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	defaultPatience = 15 * time.Second
	defaultSettle   = 2 * time.Minute
	defaultWorkers  = 4
	defaultHush     = 5 * time.Second
	defaultAnswer   = 30 * time.Second
)

// Config says which cluster, and how hard to ask it.
type Config struct {
	Kubeconfig string // path of the file
	Context    string // of the kubeconfig; empty: its current one
	// Patience is how long a request is repeated while the server is down or overloaded (default 15 s).
	Patience time.Duration
	// Answer is how long the server may take for one answer, beside the repetitions (default 30 s).
	Answer time.Duration
	// Settle is how long to wait for what must be there before anything else, or gone: namespaces,
	// CustomResourceDefinitions, objects that are being deleted (default 2 min).
	Settle time.Duration
	// Workers is how many requests are under way at once (default 4).
	Workers int
	// Hush is how long to wait before anybody is told of it (default 5 s).
	Hush time.Duration
	// Waiting, if set, is told what is waited for, once it takes a while: "Widget a/w is still being deleted (finalizers: …)".
	// It may be called by several goroutines at once.
	Waiting func(text string)
	Log     *slog.Logger // warnings of the server; nil: none
}

// Cluster is a Kubernetes API as a target. One method may run at a time.
type Cluster struct {
	config Config
	server string
	client client.Client
	rest   rest.Interface                // for what has no kind
	mapper *meta.DefaultRESTMapper       // what the server is known to have
	away   map[schema.GroupVersion]error // APIs of Pods that are down
	memo   memo
}

// NewCluster reads the kubeconfig. It does not talk to the server.
func NewCluster(c Config) (*Cluster, error) {
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Answer = cmp.Or(c.Answer, defaultAnswer)
	c.Settle = cmp.Or(c.Settle, defaultSettle)
	c.Workers = cmp.Or(c.Workers, defaultWorkers)
	c.Hush = cmp.Or(c.Hush, defaultHush)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	clientLog.Store(c.Log)
	rc, err := restConfig(c)
	if err != nil {
		return nil, kubeconfigError(c, err)
	}
	k := &Cluster{config: c, server: rc.Host, away: map[schema.GroupVersion]error{}}
	if err := k.connect(rc); err != nil {
		return nil, kubeconfigError(c, err) // nobody has been connected to: it is what the file names that is at fault
	}
	return k, nil
}

func kubeconfigError(c Config, err error) error {
	e := &TargetError{Target: "the kubeconfig " + c.Kubeconfig, Doing: "be used", Err: err, Word: unusable,
		Advice: "correct target.kubernetes.kubeconfig in site.yaml; it is a file as kubectl reads it"}
	if errors.Is(err, fs.ErrPermission) {
		e.Advice = "run sallyport as a user who may read it, usually root"
	}
	return e
}

func restConfig(c Config) (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	rc, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, err
	}
	rc.UserAgent = "sallyport"
	rc.QPS = -1                        // the number of workers is the limit; the server shares out its own capacity
	rc.Timeout = c.Patience + c.Answer // client-go's own repetitions, for which a server may ask, included
	rc.WarningHandlerWithContext = warnings{c.Log}
	rc.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &retrier{next: &discreet{next}, patience: c.Patience}
	})
	return rc, nil
}

func (c *Cluster) connect(rc *rest.Config) error {
	hc, err := rest.HTTPClientFor(rc)
	if err != nil {
		return err
	}
	if rc.ExecProvider != nil {
		hc.Transport = &waiter{hc.Transport, rc.ExecProvider.Command}
	}
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(rc, hc)
	if err != nil {
		return err
	}
	c.rest, c.mapper = disco.RESTClient(), meta.NewDefaultRESTMapper(nil)
	c.client, err = client.New(rc, client.Options{
		HTTPClient: hc,
		Mapper:     c.mapper,
		Scheme:     runtime.NewScheme(), // every object is unstructured
		Log:        logr.FromSlogHandler(c.config.Log.Handler()),
	})
	if err != nil {
		return err
	}
	return nil
}

// String names the server by its URL.
func (c *Cluster) String() string { return "the cluster at " + c.server }

// Ready asks the server, which has the time of one answer, for its version, such as v1.36.3+k3s1: it runs, and accepts the
// credentials. Rights are asked for with each object, by DryRun.
func (c *Cluster) Ready(ctx context.Context, _ Inventory) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Answer)
	defer cancel()
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	err = c.getJSON(ctx, "/version", &info)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) { // every API server knows its version
		err = fmt.Errorf("%w: %w", errStranger, err)
	}
	if err != nil {
		return "", c.failed("tell its version", err)
	}
	return info.GitVersion, nil
}

// warnings logs what the server says beside its answers: deprecated versions, fields that it ignores.
type warnings struct{ log *slog.Logger }

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if code == 299 && text != "" {
		w.log.WarnContext(ctx, fmt.Sprintf("the cluster warns: %s", text))
	}
}
