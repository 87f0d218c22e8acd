package components

import (
	"fmt"
	"os"

	"rollcall.dev/e2e/cluster/internal/layout"
)

// Node is what the files of a node depend on beside its directory.
type Node struct {
	Cgroup       string // the root of all pods' cgroups
	PluginFolder string // of CNI
	PauseImage   string
	PodLogs      string
}

// WriteNodeFiles writes what containerd, CNI, the kubelet and kube-proxy read.
func WriteNodeFiles(dir layout.Dir, node Node) error {
	if err := os.MkdirAll(dir.Path("cni"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(dir.Path("containerd.toml"), containerdConfig(dir, node), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(dir.Path("resolv.conf"), nil, 0o600); err != nil { // no pod asks the machine's name servers
		return err
	}
	for path, content := range map[string]object{
		dir.Path("cni", "10-rollcall.conflist"): cniConfig(dir),
		dir.Path("kubelet.json"):                kubeletConfig(dir, node),
		dir.Path("kube-proxy.json"):             proxyConfig(dir),
	} {
		if err := writeJSON(path, content); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfig is of version 2, which containerd 1.x reads and 2.x translates.
// Without CAP_SYS_RESOURCE, as in some virtual machines, runc cannot lower oom_score_adj and no pod would start.
func containerdConfig(dir layout.Dir, node Node) []byte {
	return fmt.Appendf(nil, `version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
		dir.Path("containerd", "root"), dir.Path("containerd", "state"), dir.Containerd(), dir.Path("containerd", "opt"),
		node.PauseImage, node.PluginFolder, dir.Path("cni"))
}

func cniConfig(dir layout.Dir) object {
	return object{
		"cniVersion": "0.4.0",
		"name":       "rollcall",
		"plugins": []object{{
			"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
			"ipam": object{
				"type":    "host-local",
				"dataDir": dir.Path("cni", "addresses"),
				"ranges":  [][]object{{{"subnet": Pods}}},
				"routes":  []object{{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}

// kubeletConfig works on cgroup v1 and v2, with swap or without, on a disk that is nearly full.
func kubeletConfig(dir layout.Dir, node Node) object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"x509":      object{"clientCAFile": dir.PKI("ca.crt")},
			"webhook":   object{"enabled": true},
		},
		"authorization":               object{"mode": "Webhook"},
		"tlsCertFile":                 dir.PKI("kubelet.crt"),
		"tlsPrivateKeyFile":           dir.PKI("kubelet.key"),
		"containerRuntimeEndpoint":    "unix://" + dir.Containerd(),
		"cgroupDriver":                "cgroupfs", // not every machine runs systemd
		"cgroupRoot":                  node.Cgroup,
		"enforceNodeAllocatable":      []string{},
		"failCgroupV1":                false,
		"failSwapOn":                  false,
		"makeIPTablesUtilChains":      false,
		"resolvConf":                  dir.Path("resolv.conf"),
		"podLogsDir":                  node.PodLogs,
		"volumePluginDir":             dir.Path("kubelet", "volume-plugins"),
		"imageGCHighThresholdPercent": 100, // a removed image could not be pulled again
		"evictionHard":                object{"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
	}
}

func proxyConfig(dir layout.Dir) object {
	return object{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"mode":             "iptables",
		"clientConnection": object{"kubeconfig": dir.ComponentKubeconfig("proxy")},
		"clusterCIDR":      Pods,
		"hostnameOverride": NodeName,
		// Zero leaves the machine's connection tracking as it is.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
	}
}
