package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"strings"

	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/ca"
	"go.step.sm/crypto/jose"
)

// Everything that can be read without a token.
func (s *session) read() {
	say("health", "%s", must(s.client.Health()).Status)
	version := must(s.client.Version())
	say("version", "%s, client certificates required: %t", version.Version, version.RequireClientAuthentication)

	fingerprint := must(s.client.RootFingerprint())
	say("root fingerprint", "that of the root: %t", fingerprint == s.sum)
	say("root", "%s", must(s.client.Root(s.sum)).RootPEM.Subject)
	say("root", "%s", must(s.client.Root(strings.ToUpper(s.sum))).RootPEM.Subject)
	_, err := s.client.Root(strings.Repeat("0", 64))
	sayError("unknown root", err)
	for _, root := range must(s.client.Roots()).Certificates {
		say("roots", "%s", root.Subject)
	}
	for _, root := range must(s.client.Federation()).Certificates {
		say("federation", "%s", root.Subject)
	}

	// A client may know the root by its hash, by its text, or not at all.
	say("client by hash", "%s", must(must(ca.NewClient(s.url, ca.WithRootSHA256(s.sum))).Health()).Status)
	root := must(s.client.Roots()).Certificates[0]
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	say("client by text", "%s", must(must(ca.NewClient(s.url, ca.WithCABundle(text))).Health()).Status)
	_, err = ca.NewClient(s.url, ca.WithRootSHA256(strings.Repeat("0", 64)))
	sayError("client by the wrong hash", err)

	// Routes that the package has no method for.
	var crl *x509.RevocationList
	for _, path := range []string{"/intermediates", "/intermediates.pem", "/roots.pem", "/crl", "/1.0/crl?pem"} {
		response := must(s.plain().Get(s.url + path))
		body := must(io.ReadAll(response.Body))
		response.Body.Close()
		say(path, "%s, %s", response.Status, response.Header.Get("Content-Type"))
		if path == "/crl" {
			crl = must(x509.ParseRevocationList(body))
			say(path, "issued by %s, %d entries", crl.Issuer, len(crl.RevokedCertificateEntries))
		}
	}
}

// A client for HTTP that trusts the root.
func (s *session) plain() *http.Client {
	return &http.Client{Transport: s.transport()}
}

// A transport that trusts the root, with a certificate to show if there is one.
func (s *session) transport(certificates ...tls.Certificate) *http.Transport {
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: s.client.GetRootCAs(), Certificates: certificates, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
}

// Provisioners, page by page, and their keys.
func (s *session) list() {
	say("provisioners", "%d on the first page", len(must(s.client.Provisioners()).Provisioners))
	cursor := ""
	for {
		page := must(s.client.Provisioners(ca.WithProvisionerCursor(cursor), ca.WithProvisionerLimit(9)))
		for _, item := range page.Provisioners {
			_, key, encrypted := item.GetEncryptedKey()
			say("provisioner", "%s %s, key %q, encrypted: %t", item.GetType(), item.GetName(), identifier(item), encrypted && key != "")
		}
		cursor = page.NextCursor
		if cursor == "" {
			break
		}
		say("provisioners", "a page of %d, and a cursor of %d letters", len(page.Provisioners), len(cursor))
	}
	past := must(s.client.Provisioners(ca.WithProvisionerCursor(strings.Repeat("f", 40))))
	say("provisioners", "%d past the end", len(past.Provisioners))
	all := must(s.client.Provisioners(ca.WithProvisionerLimit(100)))
	say("provisioners", "%d in one page, cursor %q", len(all.Provisioners), all.NextCursor)

	kid := identifier(named(all, "plain"))
	encrypted := must(s.client.ProvisionerKey(kid)).Key
	say("provisioner key", "%d parts", strings.Count(encrypted, ".")+1)
	message := must(jose.ParseEncrypted(encrypted))
	decrypted := must(message.Decrypt(s.password))
	say("provisioner key", "a private JWK with the password: %t", strings.Contains(string(decrypted), `"d"`))
	_, err := s.client.ProvisionerKey("nobody's")
	sayError("unknown provisioner key", err)

	plain := s.provisioner("plain")
	say("provisioner", "%s, by name: %t", plain.Name(), plain.Kid() == kid)
	say("provisioner", "audience %s", strings.TrimPrefix(plain.Audience(), s.url))
	_, err = ca.NewProvisioner("plain", "", s.url, []byte("a wrong password"), ca.WithRootFile(s.root))
	sayError("provisioner with a wrong password", err)
}

func identifier(item provisioner.Interface) string {
	kid, _, _ := item.GetEncryptedKey()
	return kid
}

func named(page *api.ProvisionersResponse, name string) provisioner.Interface {
	for _, item := range page.Provisioners {
		if item.GetName() == name {
			return item
		}
	}
	panic("no provisioner " + name)
}
