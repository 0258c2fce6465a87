package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/ca"
	"github.com/smallstep/certificates/ca/identity"
	"go.step.sm/crypto/jose"
	"golang.org/x/crypto/ocsp"
)

// A certificate with its key, as the CA sent it.
type issued struct {
	answer *api.SignResponse
	key    crypto.PrivateKey
}

func (i issued) leaf() *x509.Certificate { return i.answer.ServerPEM.Certificate }

func (i issued) pair() tls.Certificate { return *must(ca.TLSCertificate(i.answer, i.key)) }

type publicKey interface{ Equal(crypto.PublicKey) bool }

// Asks for a certificate; `change` may alter the request.
func (s *session) ask(provisioner, subject string, names []string, change func(*api.SignRequest)) (issued, error) {
	request, key, err := ca.CreateSignRequest(s.token(provisioner, subject, names...))
	if err != nil {
		return issued{}, err
	}
	if change != nil {
		change(request)
	}
	answer, err := s.client.Sign(request)
	return issued{answer, key}, err
}

// What a relying party reads in an answer.
func (s *session) describe(topic string, i issued) {
	leaf := i.leaf()
	pool := x509.NewCertPool()
	for _, certificate := range i.answer.CertChainPEM[1:] {
		pool.AddCert(certificate.Certificate)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: s.client.GetRootCAs(), Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	say(topic, "%s %v %v %v %v, %s, %s", leaf.Subject, leaf.DNSNames, leaf.IPAddresses, leaf.EmailAddresses, leaf.URIs,
		leaf.PublicKeyAlgorithm, leaf.NotAfter.Sub(leaf.NotBefore))
	say(topic, "chain of %d below %s, verified: %t", len(i.answer.CertChainPEM), i.answer.CaPEM.Subject, err == nil)
	for _, extension := range leaf.Extensions {
		say(topic, "extension %s, critical: %t", extension.Id, extension.Critical)
	}
	if options := i.answer.TLSOptions; options != nil {
		say(topic, "TLS %v to %v, %v, renegotiation: %t", options.MinVersion, options.MaxVersion, options.CipherSuites, options.Renegotiation)
	}
}

func (s *session) sign() {
	first := must(s.ask("plain", "a.example", nil, nil))
	s.describe("sign", first)
	names := []string{"b.example", "10.0.0.1", "b@example.com", "https://b.example/b"}
	s.describe("sign with names", must(s.ask("plain", "b.example", names, nil)))
	s.describe("sign for an hour", must(s.ask("plain", "c.example", nil, func(request *api.SignRequest) {
		request.NotAfter = must(api.ParseTimeDuration("1h"))
	})))
	for _, name := range []string{"rsa2048", "p384", "p521", "ed25519"} {
		i := must(s.ask(name, "d.example", nil, nil))
		say("sign for "+name, "%s", i.leaf().Subject)
	}

	token := s.token("plain", "e.example")
	client := must(ca.Bootstrap(token))
	say("bootstrap", "%s", must(client.Health()).Status)
	request, _, err := ca.CreateSignRequest(token)
	if err == nil {
		_, err = client.Sign(request)
	}
	sayError("bootstrap, then sign", err)
}

// Renewal and rekeying by client certificate, and renewal by token.
func (s *session) renew() {
	old := must(s.ask("plain", "f.example", nil, nil))
	renewed := issued{must(s.client.Renew(s.transport(old.pair()))), old.key}
	s.describe("renew", renewed)
	say("renew", "another number: %t, the same key: %t", renewed.leaf().SerialNumber.Cmp(old.leaf().SerialNumber) != 0,
		renewed.leaf().PublicKey.(publicKey).Equal(old.leaf().PublicKey))

	request, key, err := ca.CreateCertificateRequest("f.example")
	if err != nil {
		panic(err)
	}
	rekeyed := issued{must(s.client.Rekey(&api.RekeyRequest{CsrPEM: *request}, s.transport(renewed.pair()))), key}
	s.describe("rekey", rekeyed)
	say("rekey", "the new key: %t", rekeyed.leaf().PublicKey.(publicKey).Equal(request.PublicKey))

	byToken := must(s.client.RenewWithToken(s.renewToken(rekeyed, s.url+"/renew")))
	s.describe("renew with a token", issued{byToken, key})

	_, err = s.client.Renew(s.transport())
	sayError("renew without a certificate", err)
	_, err = s.client.Rekey(&api.RekeyRequest{CsrPEM: *request}, s.transport())
	sayError("rekey without a certificate", err)
	frozen := must(s.ask("norenew", "g.example", nil, nil))
	_, err = s.client.Renew(s.transport(frozen.pair()))
	sayError("renew where renewal is disabled", err)
	_, err = s.client.RenewWithToken(s.renewToken(frozen, s.url+"/renew"))
	sayError("renew with a token where renewal is disabled", err)
	token := s.renewToken(rekeyed, s.url+"/renew")
	_, err = s.client.RenewWithToken(token)
	sayError("renew with another token", err)
	_, err = s.client.RenewWithToken(token)
	sayError("renew with a used token", err)
}

// The token that stands for a client certificate, signed by its key.
func (s *session) renewToken(i issued, audience string) string {
	var chain []string
	for _, certificate := range i.answer.CertChainPEM {
		chain = append(chain, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	options := new(jose.SignerOptions).WithType("JWT").WithHeader(jose.HeaderKey(jose.X5cInsecureKey), chain)
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, options))
	now := time.Now()
	return must(jose.Signed(signer).Claims(jose.Claims{
		ID: uuid.NewString(), Subject: i.leaf().Subject.CommonName, Issuer: "step-ca-client/1.0",
		Audience: jose.Audience{audience}, IssuedAt: jose.NewNumericDate(now), NotBefore: jose.NewNumericDate(now),
		Expiry: jose.NewNumericDate(now.Add(5 * time.Minute)),
	}).CompactSerialize())
}

// What is expired is renewed by token alone, and only where that is allowed.
func (s *session) expired() {
	soon := func(request *api.SignRequest) { request.NotAfter = must(api.ParseTimeDuration("1s")) }
	late := must(s.ask("late", "h.example", nil, soon))
	strict := must(s.ask("longlived", "h.example", nil, soon))
	wait("certificates expire", func() bool {
		return time.Now().After(late.leaf().NotAfter.Add(time.Second)) && time.Now().After(strict.leaf().NotAfter.Add(time.Second))
	})
	s.describe("renew what is expired", issued{must(s.client.RenewWithToken(s.renewToken(late, s.url+"/renew"))), late.key})
	_, err := s.client.RenewWithToken(s.renewToken(strict, s.url+"/renew"))
	sayError("renew what is expired where that is not allowed", err)
	transport := s.transport(strict.pair())
	// With TLS 1.3 the client may meet the closed connection before the alert.
	transport.TLSClientConfig.MaxVersion = tls.VersionTLS12
	_, err = s.client.Renew(transport)
	sayError("renew what is expired by TLS", err)
}

// Revocation by token and by certificate, and what follows.
func (s *session) revoke() {
	request := func(i issued) *api.RevokeRequest {
		return &api.RevokeRequest{
			Serial: i.leaf().SerialNumber.String(), ReasonCode: ocsp.KeyCompromise, Reason: "a test", Passive: true,
		}
	}
	first := must(s.ask("plain", "i.example", nil, nil))
	say("revoke by certificate", "%s", must(s.client.Revoke(request(first), s.transport(first.pair()))).Status)
	_, err := s.client.Renew(s.transport(first.pair()))
	sayError("renew what is revoked", err)
	_, err = s.client.Revoke(request(first), s.transport(first.pair()))
	sayError("revoke what is revoked", err)

	second := must(s.ask("plain", "j.example", nil, nil))
	_, err = s.client.Revoke(request(second), s.transport(must(s.ask("plain", "k.example", nil, nil)).pair()))
	sayError("revoke another's by certificate", err)
	provisioner := s.provisioner("plain")
	provisioner.SetAudience(s.url + "/1.0/revoke")
	byToken := request(second)
	byToken.OTT = must(provisioner.Token(byToken.Serial))
	say("revoke by token", "%s", must(s.client.Revoke(byToken, nil)).Status)
	_, err = s.client.Revoke(byToken, nil)
	sayError("revoke with a used token", err)

	third := request(must(s.ask("plain", "l.example", nil, nil)))
	third.OTT = must(provisioner.Token("1"))
	_, err = s.client.Revoke(third, nil)
	sayError("revoke with another's token", err)
	third.OTT = ""
	_, err = s.client.Revoke(third, nil)
	sayError("revoke without token and certificate", err)
	third.Passive = false
	_, err = s.client.Revoke(third, nil)
	sayError("revoke actively", err)
	third.Passive, third.ReasonCode = true, 11
	_, err = s.client.Revoke(third, nil)
	sayError("revoke for an unknown reason", err)
	third.Serial = "abc"
	_, err = s.client.Revoke(third, nil)
	sayError("revoke what is no number", err)
	third.Serial = ""
	_, err = s.client.Revoke(third, nil)
	sayError("revoke nothing", err)
}

// The errors of the package's own type, by status.
func (s *session) refusals() {
	try := func(topic, provisioner, subject string, change func(*api.SignRequest)) {
		_, err := s.ask(provisioner, subject, nil, change)
		sayError(topic, err)
	}
	used := s.token("plain", "m.example")
	try("sign", "plain", "m.example", func(r *api.SignRequest) { r.OTT = used })
	try("sign with a used token", "plain", "m.example", func(r *api.SignRequest) { r.OTT = used })
	try("sign without a token", "plain", "m.example", func(r *api.SignRequest) { r.OTT = "" })
	try("sign with half a token", "plain", "m.example", func(r *api.SignRequest) { r.OTT = r.OTT[:len(r.OTT)/2] })
	try("sign without a request", "plain", "m.example", func(r *api.SignRequest) { r.CsrPEM = api.CertificateRequest{} })
	try("sign for longer than allowed", "plain", "m.example", func(r *api.SignRequest) {
		r.NotAfter = must(api.ParseTimeDuration("48h"))
	})
	try("sign for less than allowed", "plain", "m.example", func(r *api.SignRequest) {
		r.NotAfter = must(api.ParseTimeDuration("1m"))
	})
	try("sign for the past", "plain", "m.example", func(r *api.SignRequest) {
		r.NotAfter = must(api.ParseTimeDuration("-1h"))
	})
	try("sign for another name", "plain", "m.example", func(r *api.SignRequest) {
		other, _, err := ca.CreateCertificateRequest("n.example")
		if err != nil {
			panic(err)
		}
		r.CsrPEM = *other
	})
	try("sign with another name", "plain", "m.example", func(r *api.SignRequest) {
		other, _, err := ca.CreateCertificateRequest("m.example", "n.example")
		if err != nil {
			panic(err)
		}
		r.CsrPEM = *other
	})
	try("sign as a template refuses", "failtpl", "m.example", nil)
	try("sign by a disabled provisioner", "disabled", "m.example", nil)

	wrong := s.provisioner("plain")
	wrong.SetAudience("https://elsewhere.example/1.0/sign")
	try("sign for another audience", "plain", "m.example", func(r *api.SignRequest) { r.OTT = must(wrong.Token("m.example")) })

	calls := 0
	again := must(ca.NewClient(s.url, ca.WithRootFile(s.root), ca.WithRetryFunc(func(status int) bool {
		calls++
		return status == 401
	})))
	request, _, err := ca.CreateSignRequest(used)
	if err == nil {
		_, err = again.Sign(request)
	}
	sayError(fmt.Sprintf("sign, asked %d time again", calls), err)
}

// The default identity, which later clients show unasked.
func (s *session) identity() {
	i := must(s.ask("longlived", "o.example", nil, nil))
	if err := ca.WriteDefaultIdentity(i.answer.CertChainPEM, i.key); err != nil {
		panic(err)
	}
	writeDefaults(s.url, s.root)
	client := must(identity.LoadClient())
	response := must(client.Post(s.url+"/renew", "application/json", nil))
	response.Body.Close()
	say("identity client", "renew: %s", response.Status)
	say("identity", "%s", must(must(ca.LoadDefaultIdentity()).TLSCertificate()).Leaf.Subject)
	request, _, err := ca.CreateIdentityRequest("o.example")
	if err != nil {
		panic(err)
	}
	say("identity", "asks again with its key: %t", i.leaf().PublicKey.(publicKey).Equal(request.PublicKey))
}
