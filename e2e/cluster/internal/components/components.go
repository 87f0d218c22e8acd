// Package components says how each part of Kubernetes is started: its flags, its files, its environment.
package components

import (
	"fmt"
	"os"
	"os/exec"

	"rollcall.dev/e2e/cluster/internal/layout"
	"rollcall.dev/e2e/cluster/internal/supervisor"
)

// The addresses of a cluster. The link joins the machine and the node, whose network is its own:
// neither the machine's addresses nor its firewall rules are touched.
const (
	LinkHost    = "10.244.255.1"
	LinkNode    = "10.244.255.2"
	LinkNetwork = "10.244.255.0/30"
	Pods        = "10.244.0.0/24"
	Services    = "10.96.0.0/16"
	apiService  = "10.96.0.1"
	NodeName    = "node"
)

// Etcd keeps the objects. It does not wait for the disk: what a crash loses here, nobody misses.
func Etcd(dir layout.Dir, state layout.State) supervisor.Child {
	client := fmt.Sprintf("http://127.0.0.1:%d", state.Ports.EtcdClient)
	peer := fmt.Sprintf("http://127.0.0.1:%d", state.Ports.EtcdPeer)
	return child(dir, "etcd",
		"--data-dir="+dir.Path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--quota-backend-bytes=8589934592", // 100,000 people do not fit the default of 2 GiB
	)
}

// Advertised is where clients are told that they find an API server, where there are several. Kubernetes publishes no loopback
// address, and one port for all of them.
func Advertised(number int) string { return fmt.Sprintf("10.244.254.%d", number) }

// Loopback is where an API server listens; they are counted from 1.
func Loopback(number int) string { return fmt.Sprintf("127.0.0.%d", number) }

// APIServers are all of them. Where there are several, each has a relay at the address that it advertises: one that is stopped makes
// the server behind it answer nobody there, and still be a server of this cluster.
func APIServers(dir layout.Dir, state layout.State) (children []supervisor.Child) {
	for number := 1; number <= state.APIServers; number++ {
		children = append(children, APIServer(dir, state, number))
		if state.APIServers > 1 {
			from := fmt.Sprintf("%s:%d", Advertised(number), state.Ports.APIServer)
			to := fmt.Sprintf("%s:%d", Loopback(number), state.Ports.APIServer)
			children = append(children, Program(dir, numbered("relay", number), Self(), "relay", from, to))
		}
	}
	return children
}

// numbered is the name of a component of which there may be several: the first has no number.
func numbered(name string, number int) string {
	if number == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, number)
}

// APIServer listens on a loopback address only, also for a node: the node reaches it through a relay on the link.
func APIServer(dir layout.Dir, state layout.State, number int) supervisor.Child {
	advertised, audit := LinkHost, dir.Path(numbered("audit", number)+".log")
	if state.APIServers > 1 {
		advertised = Advertised(number)
	}
	flags := []string{
		"kube-apiserver",
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", state.Ports.EtcdClient),
		fmt.Sprintf("--secure-port=%d", state.Ports.APIServer),
		"--bind-address=" + Loopback(number),
		"--advertise-address=" + advertised, // given always, or it looks for a default route, which a closed machine may lack
		"--tls-cert-file=" + dir.PKI("apiserver.crt"), "--tls-private-key-file=" + dir.PKI("apiserver.key"),
		"--client-ca-file=" + dir.PKI("ca.crt"), "--enable-bootstrap-token-auth",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + dir.PKI("sa.pub"), "--service-account-signing-key-file=" + dir.PKI("sa.key"),
		"--service-cluster-ip-range=" + Services,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--kubelet-certificate-authority=" + dir.PKI("ca.crt"),
		"--kubelet-client-certificate=" + dir.PKI("apiserver.crt"), "--kubelet-client-key=" + dir.PKI("apiserver.key"),
		"--kubelet-preferred-address-types=InternalIP", // no name of the node resolves
		"--audit-policy-file=" + dir.Path("audit-policy.json"), "--audit-log-path=" + audit,
		"--audit-log-maxsize=1048576", // MiB: never rotated, or tests that count calls would lose lines
	}
	if !state.Node {
		// As hardened clusters have it. A node here could pull nothing: its images are loaded.
		flags = append(flags, "--enable-admission-plugins=NodeRestriction,AlwaysPullImages")
	}
	if !state.Node && state.APIServers == 1 {
		flags = append(flags, "--endpoint-reconciler-type=none") // there is no link, so no address to publish
	}
	return Program(dir, numbered("kube-apiserver", number), Self(), flags...)
}

// ControllerManager runs every default controller, each under its own account as in a real cluster.
func ControllerManager(dir layout.Dir, state layout.State) supervisor.Child {
	flags := []string{
		"--kubeconfig=" + dir.ComponentKubeconfig("controller-manager"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", state.Ports.ControllerManager),
		"--leader-elect=false", "--use-service-account-credentials",
		"--kube-api-burst=100", // its accounts are all made at the start: 4 s less to wait, and the same pace afterwards
		"--service-account-private-key-file=" + dir.PKI("sa.key"), "--root-ca-file=" + dir.PKI("ca.crt"),
		"--cluster-signing-cert-file=" + dir.PKI("ca.crt"), "--cluster-signing-key-file=" + dir.PKI("ca.key"),
	}
	if !state.Node {
		flags = append(flags, "--kube-api-qps=200") // many tests at once: what each makes would wait for what all others make
	}
	return child(dir, "kube-controller-manager", flags...)
}

// Scheduler places pods; without a node they stay Pending, as they should.
func Scheduler(dir layout.Dir, state layout.State) supervisor.Child {
	return child(dir, "kube-scheduler",
		"--kubeconfig="+dir.ComponentKubeconfig("scheduler"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", state.Ports.Scheduler),
		"--leader-elect=false",
	)
}

// Kubelet runs the pods of the one node.
func Kubelet(dir layout.Dir) supervisor.Child {
	return child(dir, "kubelet",
		"--config="+dir.Path("kubelet.json"), "--kubeconfig="+dir.ComponentKubeconfig("kubelet"),
		"--hostname-override="+NodeName, "--node-ip="+LinkNode, "--root-dir="+dir.Path("kubelet"),
	)
}

// Proxy makes service addresses work on the node.
func Proxy(dir layout.Dir) supervisor.Child {
	return child(dir, "kube-proxy", "--config="+dir.Path("kube-proxy.json"))
}

// Containerd is the one part that is not ours: Debian's package.
func Containerd(dir layout.Dir) supervisor.Child {
	return Program(dir, "containerd", "containerd", "--config="+dir.Path("containerd.toml"))
}

// child is a component held in this same program, chosen by its first argument.
func child(dir layout.Dir, name string, flags ...string) supervisor.Child {
	return Program(dir, name, Self(), append([]string{name}, flags...)...)
}

// Program is any program, started with an environment of ours.
func Program(dir layout.Dir, name, path string, arguments ...string) supervisor.Child {
	return supervisor.Child{Name: name, Log: dir.Log(name), Command: func() *exec.Cmd {
		command := exec.Command(path, arguments...)
		command.Dir = string(dir)
		command.Env = environment(dir)
		return command
	}}
}

// environment keeps the caller's out: its proxies would catch calls between the parts, etcd takes any ETCD_ name for
// a flag, and its home would collect caches. How much memory Go may take before it collects garbage is the caller's to say.
func environment(dir layout.Dir) []string {
	all := []string{
		"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", // iptables lies in sbin
		"HOME=" + string(dir),
		"TMPDIR=" + dir.Path("tmp"),
	}
	if percent, said := os.LookupEnv("GOGC"); said {
		all = append(all, "GOGC="+percent)
	}
	return all
}

// Self is the path of this program.
func Self() string {
	path, err := os.Executable()
	if err != nil {
		return "/proc/self/exe"
	}
	return path
}
