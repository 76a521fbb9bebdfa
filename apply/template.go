package apply

// ConfigTemplate is the commented site.yaml that sallyport site init writes. Everything in it works.
const ConfigTemplate = `# What this site is and where its parts are. Unknown fields are errors.
# sallyport doctor says what is missing and how to mend it.
apiVersion: sallyport.dev/v1
kind: Site
metadata:
  # The name in reports and messages.
  name: store-0142
  # Releases may require labels (spec.requires.labels in release.yaml).
  labels: {region: emea}
spec:
  # The name of the releases for this site (metadata.name in release.yaml); others are refused. Without it the first
  # release that is committed decides.
  # release: store-platform

  # Journal, slots and history. Keep it on a disk that survives a reboot.
  state: /var/lib/sallyport

  # The public keys, as cosign or sallyport key generate writes them, that may sign a release for this site:
  # one PEM file, one key after the other.
  trust: /etc/sallyport/release.pub

  # The local registry from which the container runtime pulls. Either sallyport serves it from a folder ...
  mirror:
    dir: /var/lib/sallyport/mirror
    listen: "127.0.0.1:5000"
    # names: [mirror.store]   # hosts by which other machines know it, beside this machine's names and addresses
  # ... or one that runs already:
  # mirror:
  #   url: "http://127.0.0.1:5000"
  #   credentials: /etc/sallyport/mirror.credentials   # two lines: user name, password
  #   ca: /etc/sallyport/mirror-ca.pem
  #   proxy: "http://proxy.store:3128"   # HTTP_PROXY counts for none on this machine or its network

  # Where manifests go. Either a Kubernetes API ...
  target:
    kubernetes:
      kubeconfig: /etc/rancher/k3s/k3s.yaml
      # patience: 5m   # how long a trial or a rollback waits for an API that does not answer
  # ... or a folder from which the cluster deploys:
  # target:
  #   manifestsDir: {path: /var/lib/rancher/k3s/server/manifests}

  # How slots are switched: none means that the operating system is not part of a release.
  slots: {backend: none}
  # With an operating system in releases, a boot loader boots one of two slots; docs/bootloaders.md says how it is set up:
  # slots:
  #   backend: grub
  #   a: {boot: A, parts: {root: /dev/disk/by-partlabel/root-a}}
  #   b: {boot: B, parts: {root: /dev/disk/by-partlabel/root-b}}

  # The site's own checks, run after those of a release. Each *.yaml file in the folder is a list, as in
  #   checks:
  #     - name: till-answers
  #       http: {url: "http://127.0.0.1:8080/health"}
  #       timeout: 60s
  # checksDir: /etc/sallyport/checks.d

  # Each attempt leaves a signed receipt on the stick that its bundle came from. They can go over a link as well:
  # receipts:
  #   forward: ["https://receipts.example.com/fleet", "oci://registry.example.com/fleet/receipts"]

  # With a boot loader: the datastore that another operating system may bring to another form. It is saved before, and put back
  # by a rollback. One of
  # data: {k3s: {}}             # also for RKE2; or microk8s, etcd
  # data: {backup: {command: [PROGRAM, ARG]}, restore: {command: [PROGRAM, ARG]}}

  # When a switch to another release may begin; without windows, at any time. Days are names, ranges of them, daily, or a rule
  # (RRULE:FREQ=MONTHLY;BYDAY=2TU); a window over midnight belongs to the day on which it begins. Blackouts cut what lies on them.
  # windows: ["Sat,Sun 02:00-04:00 Europe/Budapest"]
  # blackouts: ["2026-12-20..2027-01-06 Europe/Budapest"]
  # windowNeed: 30m                # what has to be left of a window; the default is what the checks may take, twice
  # catchUp: {immediate: never}    # releases that pass the windows by wait for one here

  # Folders in which sallyport run looks for bundles.
  # inbox: [/var/lib/sallyport/inbox]

  # What this machine runs; the default is what this program was built for.
  # platform: linux/amd64
`
