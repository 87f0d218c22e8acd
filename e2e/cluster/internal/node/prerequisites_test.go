package node

import (
	"slices"
	"strings"
	"testing"

	"rollcall.dev/e2e/cluster/internal/layout"
)

func TestAMissingPackageIsNamedOnce(t *testing.T) {
	got := missing(func(program string) string {
		if program == "iptables" {
			return "/usr/sbin/iptables"
		}
		return ""
	})
	if want := []string{"containerd", "runc", "catatonit", "containernetworking-plugins"}; !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestADirectoryTheNodeCannotSeeOrNameIsRefused(t *testing.T) {
	for dir, fine := range map[layout.Dir]bool{
		"/home/me/.cache/rollcall/cluster": true,
		"/running":                         true,
		"/run/cluster":                     false,
		"/var/lib/ci/cluster":              false,
		layout.Dir("/" + strings.Repeat("long/", 20)): false,
	} {
		if err := fits(dir); (err == nil) != fine {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
