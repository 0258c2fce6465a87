package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/smallstep/certificates/ca"
	"github.com/smallstep/certificates/ca/identity"
)

// The package renews nothing with less than this to live, a minute, for which no test should wait.
//
//go:linkname minCertDuration github.com/smallstep/certificates/ca.minCertDuration
var minCertDuration time.Duration

func init() { minCertDuration = time.Second }

// A server and a client, both with certificates of seconds, until each has seen the other's renewed one.
func (s *session) automaticRenewal() []string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var clientSerial atomic.Value
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clientSerial.Store(r.TLS.PeerCertificates[0].SerialNumber.String())
		fmt.Fprint(w, "hello ", r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	server := must(ca.BootstrapServer(ctx, s.token("deftiny", "localhost"), &http.Server{Handler: handler}))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	go server.ServeTLS(listener, "", "")
	defer server.Close()
	client := must(ca.BootstrapClient(ctx, s.token("deftiny", "client.example")))

	// TLS of one's own, renewed a moment after the start.
	i := must(s.ask("deftiny", "renewer.example", nil, nil))
	pair := i.pair()
	renewer := must(ca.NewTLSRenewer(&pair, func() (*tls.Certificate, error) {
		answer, err := s.client.Renew(s.transport(pair))
		if err != nil {
			return nil, err
		}
		return ca.TLSCertificate(answer, i.key)
	}, ca.WithRenewBefore(13*time.Second), ca.WithRenewJitter(time.Nanosecond)))
	renewer.RunContext(ctx)
	wait("a renewer renews", func() bool {
		return must(renewer.GetCertificate(nil)).Leaf.SerialNumber.Cmp(pair.Leaf.SerialNumber) != 0
	})
	renewer.Stop()
	lines := []string{"a renewer has another certificate"}

	// Every other request opens a connection of its own; none may fail.
	var first, last struct{ server, client string }
	dropped := 0
	var trouble error
	requests := 0
	url := "https://localhost:" + fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	wait("both see a renewed certificate", func() bool {
		request := must(http.NewRequest(http.MethodGet, url, nil))
		request.Close = requests%2 == 0
		requests++
		response, err := client.Do(request)
		if err != nil {
			dropped++
			trouble = err
			return false
		}
		response.Body.Close()
		last.server = response.TLS.PeerCertificates[0].SerialNumber.String()
		last.client = clientSerial.Load().(string)
		if first.server == "" {
			first = last
		}
		return first.server != last.server && first.client != last.client
	})
	lines = append(lines,
		"the client sees another certificate of the server",
		"the server sees another certificate of the client",
		fmt.Sprintf("requests dropped: %d, last error: %v", dropped, trouble),
	)
	return lines
}

// Where the default identity finds its CA.
func writeDefaults(url, root string) {
	file := identity.DefaultsFile()
	must(0, os.MkdirAll(filepath.Dir(file), 0o700))
	text := must(json.Marshal(map[string]string{"ca-url": url, "root": root}))
	must(0, os.WriteFile(file, text, 0o600))
}
