package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"testing"
	"time"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	made, err := NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestACertificateVerifiesForItsAddressesAndBothEnds(t *testing.T) {
	ca := authority(t)
	pair, err := ca.Issue(Identity{Name: "server", Groups: []string{"g"}, Addresses: []net.IP{net.IPv4(127, 0, 0, 1)}, Hosts: []string{"localhost"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Certificate)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := loaded.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if subject := loaded.Leaf.Subject; subject.CommonName != "server" || subject.Organization[0] != "g" {
		t.Errorf("subject is %v", subject)
	}
}

func TestAnotherClustersAuthorityIsRefused(t *testing.T) {
	pair, err := authority(t).Issue(Identity{Name: "admin"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority(t).Certificate)
	loaded, _ := tls.X509KeyPair(pair.Certificate, pair.Key)
	if _, err := loaded.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Fatal("accepted")
	}
}

func TestTheServiceAccountKeysBelongTogether(t *testing.T) {
	private, public, err := ServiceAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	block, _ = pem.Decode(public)
	if other, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil || !key.PublicKey.Equal(other) {
		t.Fatalf("the public key is another one's: %v", err)
	}
}

func TestAKubeconfigCarriesItsCertificates(t *testing.T) {
	content, err := Kubeconfig("https://127.0.0.1:1", []byte("CA"), "admin", Pair{Certificate: []byte("C"), Key: []byte("K")})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Users []struct {
			User map[string]string `json:"user"`
		} `json:"users"`
	}
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	if got := read.Users[0].User["client-key-data"]; got != base64.StdEncoding.EncodeToString([]byte("K")) {
		t.Fatalf("client-key-data is %q", got)
	}
}
