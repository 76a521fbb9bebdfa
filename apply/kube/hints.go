package kube

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// judge tells by the error whether the cluster is out of order, or cannot be used before somebody has mended something,
// and the one next step.
func (c *Cluster) judge(err error) (word, advice string) {
	switch {
	case isCertificateError(err):
		return unusable, "check that the kubeconfig has the certificate authority of " + c.server
	case isCredentialsError(err):
		return unusable, c.credentialsAdvice(err)
	case isAway(err):
		return "", c.awayAdvice(err)
	case apierrors.IsUnauthorized(err), isRemoteAlert(err):
		return unusable, "the credentials in " + c.config.Kubeconfig + " are not accepted; ask the cluster's administrator for new ones"
	case apierrors.IsForbidden(err):
		return unusable, rightsAdvice([]string{err.Error()})
	case isStranger(err):
		return unusable, "correct the server in " + c.config.Kubeconfig + ": what listens at " + c.server + " is something else"
	}
	if m := silentWebhook.FindStringSubmatch(err.Error()); m != nil {
		return "", fmt.Sprintf("the webhook %s of the cluster does not answer: mend the program behind it, or delete its configuration: "+
			"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations", m[1])
	}
	return "", "see the log of the API server at " + c.server + ", then try again"
}

// silentWebhook is how the API server tells of an admission webhook that it could not ask.
var silentWebhook = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// awayAdvice tells a server that is not there from one that cannot be found and one that is not ready.
func (c *Cluster) awayAdvice(err error) string {
	var dns *net.DNSError
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &dns):
		return "correct the server in " + c.config.Kubeconfig + ", or mend this machine's name resolution: nothing is known of " + dns.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start the cluster, such as by systemctl start k3s: nothing listens at " + c.server
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "check this machine's network: there is no way to " + c.server
	case errors.As(err, &status):
		return "wait until the API server at " + c.server + " is ready, which kubectl get --raw /readyz tells, then try again"
	}
	return "check that the API server at " + c.server + " runs and can be reached, then try again"
}

// missingProgram is how client-go tells of a program for credentials that is not there: by its name, looked for in PATH, or
// by its path.
var missingProgram = regexp.MustCompile(`exec: executable (\S+) not found|fork/exec (\S+): no such file or directory`)

func (c *Cluster) credentialsAdvice(err error) string {
	if m := missingProgram.FindStringSubmatch(err.Error()); m != nil {
		name := m[1] + m[2]
		return fmt.Sprintf("install %s, which %s names for its credentials, where sallyport finds it (PATH under sudo and systemd is short), "+
			"or use a kubeconfig with a token or a client certificate", name, c.config.Kubeconfig)
	}
	return "make the credentials in " + c.config.Kubeconfig + " work: kubectl --kubeconfig " + c.config.Kubeconfig + " version"
}

// rights is how the API server's own authorizers word that somebody may not do something: who, the verb, the resource, its
// group and where. An admission plugin, which answers with the same code, judges the object.
var rights = regexp.MustCompile(`User "([^"]*)" cannot ([a-z]+) resource "([^"]*)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]*)")?`)

// escalation is how RBAC words that somebody may not give to others what he has not got himself.
var escalation = regexp.MustCompile(`user "([^"]*)" .*is attempting to grant RBAC permissions not currently held`)

// lacksRight tells whether a message, of the server or our own, says that we may not do something, whatever the object.
func lacksRight(message string) bool {
	return rights.MatchString(message) || escalation.MatchString(message) || strings.HasPrefix(message, lacks)
}

// rightsAdvice says which rights whose user lacks, by such messages.
func rightsAdvice(messages []string) string {
	const most = 3
	var lacking []string
	user := ""
	for _, message := range messages {
		who, what := lackingRight(message)
		if what != "" {
			user, lacking = cmp.Or(user, who), append(lacking, what)
		}
	}
	if len(lacking) == 0 {
		return "the user of the kubeconfig lacks this right; sallyport needs those of a cluster administrator"
	}
	slices.Sort(lacking)
	lacking = slices.Compact(lacking)
	text := strings.Join(lacking[:min(len(lacking), most)], "; ")
	if more := len(lacking) - most; more > 0 {
		text += fmt.Sprintf("; and %d more rights", more)
	}
	if user != "" {
		user += " "
	}
	return fmt.Sprintf("let the user %sof the kubeconfig %s, or use the kubeconfig of a cluster administrator", user, text)
}

// lackingRight reads a message about a right. user is empty where it does not tell.
func lackingRight(message string) (user, what string) {
	if what, ok := strings.CutPrefix(message, lacks); ok {
		return "", what
	}
	if m := rights.FindStringSubmatch(message); m != nil {
		return m[1], right{verb: m[2], resource: m[3], group: m[4], namespace: m[5]}.String()
	}
	if m := escalation.FindStringSubmatch(message); m != nil {
		return m[1], "escalate roles and clusterroles (or have the rights that the role gives)"
	}
	return "", ""
}
